// Command delete-database is DELETE
// /api/postgres_databases/{id_or_name}.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/awsenv/targets"
	"github.com/headgate/headgate/internal/httpapi"
)

func main() {
	log := lambdacontext.NewLogger()
	service := awsenv.Must(targets.Open(awsenv.New(os.Getenv), log))
	lambda.Start(httpapi.Serve(log, httpapi.DeleteDatabase, httpapi.Databases{Service: service}.Delete))
}
