// Command sweep-secrets schedules the deletion of secrets that belong to no database.
// It has no route: a schedule runs it.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/awsenv/sweeper"
)

func main() {
	lambda.Start(awsenv.Must(sweeper.Open(awsenv.New(os.Getenv), lambdacontext.NewLogger())).Sweep)
}
