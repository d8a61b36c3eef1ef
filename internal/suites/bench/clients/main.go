// Command clients is the least function that is linked with the SDK's clients of
// DynamoDB and Secrets Manager: what a function that calls them can't start faster
// than.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

func main() {
	table, secrets := dynamodb.NewFromConfig(aws.Config{}), secretsmanager.NewFromConfig(aws.Config{})
	lambda.Start(func(context.Context) (bool, error) { return table != nil && secrets != nil, nil })
}
