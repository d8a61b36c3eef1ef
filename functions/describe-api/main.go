// Command describe-api is GET /api/openapi.json. It needs no key and no permissions.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/httpapi"
)

func main() {
	lambda.Start(httpapi.Serve(lambdacontext.NewLogger(), httpapi.DescribeAPI, httpapi.Describe("https")))
}
