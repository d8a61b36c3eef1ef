// Command get-database is GET /api/postgres_databases/{id_or_name} and its health.
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
	endpoints := httpapi.Databases{Service: awsenv.Must(databases.Open(awsenv.New(os.Getenv), log))}
	lambda.Start(httpapi.ServeRoutes(log, map[httpapi.Operation]httpapi.Endpoint{
		httpapi.GetDatabase: endpoints.Get, httpapi.GetHealth: endpoints.Health,
	}))
}
