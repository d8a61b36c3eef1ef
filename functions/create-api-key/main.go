// Command create-api-key makes an API key. It has no route: only IAM principals
// that may invoke it can.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/headgate/headgate/internal/awsenv"
)

func main() {
	keys, err := awsenv.New(os.Getenv).Keys()
	if err != nil {
		awsenv.Fail(err)
	}
	lambda.Start(keys.Create)
}
