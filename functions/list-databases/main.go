// Command list-databases is GET /api/postgres_databases.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/awsenv/databases"
	"github.com/headgate/headgate/internal/httpapi"
)

func main() {
	log := lambdacontext.NewLogger()
	service, err := databases.Open(awsenv.New(os.Getenv), log)
	if err != nil {
		awsenv.Fail(err)
	}
	lambda.Start(httpapi.Serve(log, httpapi.ListDatabases, httpapi.Databases{Service: service}.List))
}
