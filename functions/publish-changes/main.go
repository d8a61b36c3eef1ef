// Command publish-changes puts an event on the bus for each change of a database. The
// table's stream runs it.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/awsenv/publisher"
)

func main() {
	lambda.Start(awsenv.Must(publisher.Open(awsenv.New(os.Getenv), lambdacontext.NewLogger())).Publish)
}
