// Command check-database checks the registered databases that messages on a queue name.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/awsenv/checks"
)

func main() {
	lambda.Start(awsenv.Must(checks.Open(awsenv.New(os.Getenv), lambdacontext.NewLogger())).Check)
}
