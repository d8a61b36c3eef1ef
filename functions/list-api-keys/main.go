// Command list-api-keys lists the API keys of an account. It has no route: only IAM principals
// that may invoke it can.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/apikey"
	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/awsenv/keys"
)

func main() {
	service := awsenv.Must(keys.Open(awsenv.New(os.Getenv)))
	lambda.Start(apikey.Functions{Service: service, Log: lambdacontext.NewLogger()}.List)
}
