// Command provision-resource serves Custom::PostgresDatabase to CloudFormation.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/awsenv/targets"
	"github.com/headgate/headgate/internal/customresource"
)

func main() {
	log := lambdacontext.NewLogger()
	env := awsenv.New(os.Getenv)
	service := awsenv.Must(targets.Open(env, log))
	lambda.Start(customresource.Serve(log, service, awsenv.Must(env.HTTPClient()), awsenv.Must(env.Region())))
}
