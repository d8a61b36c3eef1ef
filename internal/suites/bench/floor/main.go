// Command floor is the smallest function that makes a create's calls to AWS: it links
// the SDK's clients of DynamoDB and Secrets Manager, and has no code of its own. No
// function that makes these calls by the SDK starts faster.
package main

import (
	"context"
	"errors"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// calls are the inputs of the calls.
type calls struct {
	Name   dynamodb.GetItemInput
	Secret secretsmanager.CreateSecretInput
	Items  dynamodb.TransactWriteItemsInput
}

func main() {
	table, secrets := dynamodb.NewFromConfig(aws.Config{}), secretsmanager.NewFromConfig(aws.Config{})
	lambda.Start(func(ctx context.Context, c calls) error {
		_, named := table.GetItem(ctx, &c.Name)
		_, kept := secrets.CreateSecret(ctx, &c.Secret)
		_, inserted := table.TransactWriteItems(ctx, &c.Items)
		return errors.Join(named, kept, inserted)
	})
}
