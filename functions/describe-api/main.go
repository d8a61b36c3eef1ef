// Command describe-api is GET /api/openapi.json and, if API_REFERENCE is true, GET
// /api/reference. It needs no key and no permissions.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/apireference"
	"github.com/headgate/headgate/internal/httpapi"
)

func main() {
	endpoints := map[httpapi.Operation]httpapi.Endpoint{httpapi.DescribeAPI: httpapi.Describe("https")}
	switch os.Getenv("API_REFERENCE") {
	case "", "false":
	case "true":
		endpoints[httpapi.ShowReference] = apireference.Show()
	default:
		fmt.Fprintln(os.Stderr, "headgate: API_REFERENCE is malformed: it must be true or false")
		os.Exit(1)
	}
	lambda.Start(httpapi.ServeRoutes(lambdacontext.NewLogger(), endpoints))
}
