// Command create-database is POST /api/postgres_databases.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/httpapi"
)

func main() {
	service, err := awsenv.New(os.Getenv).Databases()
	if err != nil {
		awsenv.Fail(err)
	}
	log := lambdacontext.NewLogger()
	service.Log = log
	lambda.Start((&httpapi.Handler{
		Endpoints: map[httpapi.Operation]httpapi.Endpoint{httpapi.CreateDatabase: httpapi.Create(service)},
		Log:       log, Now: time.Now,
	}).Handle)
}
