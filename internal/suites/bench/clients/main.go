// Command clients is the smallest function that links the SDK's clients of DynamoDB
// and Secrets Manager. No function that calls them can start faster.
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
