// Command authorize-request is the Lambda authorizer: it tells API Gateway which
// account an API key belongs to.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/awsenv/keys"
	"github.com/headgate/headgate/internal/httpapi"
)

func main() {
	service := awsenv.Must(keys.Open(awsenv.New(os.Getenv)))
	lambda.Start(httpapi.Authorize(service, lambdacontext.NewLogger()))
}
