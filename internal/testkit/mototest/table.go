package mototest

import (
	"context"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Credentials are what a client of the server signs with.
func Credentials() aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: AccessKeyID, SecretAccessKey: SecretAccessKey}, nil
	})
}

// CreateTable makes headgate's DynamoDB table, in Region, at the server of
// that URL: the keys PK and SK are strings, and expires_at is when an item may
// be forgotten.
func CreateTable(ctx context.Context, url, name string) error {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := dynamodb.New(dynamodb.Options{
		Region:       Region,
		Credentials:  Credentials(),
		BaseEndpoint: &url,
		HTTPClient:   &http.Client{Transport: transport, Timeout: requestDeadline},
	})
	_, err := client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:   &name,
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("PK"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("SK"), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("PK"), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String("SK"), KeyType: types.KeyTypeRange},
		},
	})
	if err != nil {
		return fmt.Errorf("create the table %s: %w", name, err)
	}
	_, err = client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName: &name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{
			AttributeName: aws.String("expires_at"), Enabled: aws.Bool(true),
		},
	})
	if err != nil {
		return fmt.Errorf("let the items of %s expire: %w", name, err)
	}
	return nil
}
