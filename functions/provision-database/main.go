// Command provision-database registers the databases that events request.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/awsenv/targets"
	"github.com/headgate/headgate/internal/eventbus"
	"github.com/headgate/headgate/internal/provision"
)

func main() {
	log := lambdacontext.NewLogger()
	env := awsenv.New(os.Getenv)
	service := awsenv.Must(targets.Open(env, log))
	config, bus, err := env.Bus()
	if err != nil {
		awsenv.Fail(err)
	}
	lambda.Start(provision.Serve(log, service, eventbus.Open(config, bus)))
}
