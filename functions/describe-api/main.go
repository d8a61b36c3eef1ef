// Command describe-api is GET /api/openapi.json. It needs no key, and may do
// nothing but answer.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/httpapi"
	"github.com/headgate/headgate/internal/httpapi/describe"
)

func main() {
	lambda.Start(httpapi.Serve(lambdacontext.NewLogger(), httpapi.DescribeAPI, describe.Endpoint()))
}
