package mototest_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/headgate/headgate/internal/testkit/mototest"
)

func TestCreateTableAndReset(t *testing.T) {
	server := mototest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := mototest.CreateTable(ctx, server.URL(), "databases"); err != nil {
		t.Fatal(err)
	}
	if err := mototest.CreateTable(ctx, server.URL(), "databases"); err == nil {
		t.Error("the same table was made twice")
	}
	client := dynamodb.New(dynamodb.Options{
		Region: mototest.Region, Credentials: mototest.Credentials(), BaseEndpoint: aws.String(server.URL()),
	})
	expiry, err := client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: aws.String("databases")})
	if err != nil {
		t.Fatal(err)
	}
	if got := aws.ToString(expiry.TimeToLiveDescription.AttributeName); got != "expires_at" {
		t.Errorf("items expire at %q", got)
	}
	if err := server.Reset(ctx); err != nil {
		t.Fatal(err)
	}
	tables, err := client.ListTables(ctx, &dynamodb.ListTablesInput{})
	if err != nil {
		t.Fatal(err)
	}
	if len(tables.TableNames) != 0 {
		t.Errorf("after the reset there are %v", tables.TableNames)
	}
}

func TestServerEndsWithItsTest(t *testing.T) {
	var server *mototest.Server
	t.Run("inner", func(t *testing.T) { server = mototest.Start(t) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := server.Reset(ctx); err == nil {
		t.Error("moto still answers")
	}
}
