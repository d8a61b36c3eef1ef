// Command not-found answers every request that no other function answers: 405 for a
// known path with another method, 404 for an unknown path.
package main

import (
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/httpapi"
)

func main() {
	lambda.Start((&httpapi.Handler{Log: lambdacontext.NewLogger(), Now: time.Now}).Handle)
}
