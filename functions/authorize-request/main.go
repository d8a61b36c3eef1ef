// Command authorize-request is the Lambda authorizer: it tells API Gateway which
// account an API key belongs to.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/awsenv/keys"
	"github.com/headgate/headgate/internal/httpapi"
)

func main() {
	service, err := keys.Open(awsenv.New(os.Getenv))
	if err != nil {
		awsenv.Fail(err)
	}
	lambda.Start(httpapi.Authorize(service))
}
