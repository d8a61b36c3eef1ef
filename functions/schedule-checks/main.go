// Command schedule-checks queues the registered databases for check-database. It has no
// route: a schedule runs it.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/awsenv/schedule"
)

func main() {
	lambda.Start(awsenv.Must(schedule.Open(awsenv.New(os.Getenv), lambdacontext.NewLogger())).Schedule)
}
