package mototest_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/headgate/headgate/internal/testkit/mototest"
)

func TestServer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server, err := mototest.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	client := dynamodb.NewFromConfig(server.Config())
	// The steps build on one another.
	t.Run("a table is created once", func(t *testing.T) {
		if err := mototest.CreateTable(ctx, server.URL(), "databases"); err != nil {
			t.Fatal(err)
		}
		if err := mototest.CreateTable(ctx, server.URL(), "databases"); err == nil {
			t.Error("the same table is created twice")
		}
	})
	t.Run("its items expire by expires_at", func(t *testing.T) {
		out, err := client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: aws.String("databases")})
		if err != nil {
			t.Fatal(err)
		}
		if got := aws.ToString(out.TimeToLiveDescription.AttributeName); got != "expires_at" {
			t.Errorf("items expire by %q", got)
		}
	})
	t.Run("a reset removes it", func(t *testing.T) {
		if err := server.Reset(ctx); err != nil {
			t.Fatal(err)
		}
		tables, err := client.ListTables(ctx, &dynamodb.ListTablesInput{})
		if err != nil || len(tables.TableNames) != 0 {
			t.Errorf("tables %v, error %v", tables, err)
		}
	})
	t.Run("a stopped server does not respond", func(t *testing.T) {
		server.Stop()
		if err := server.Reset(ctx); err == nil {
			t.Error("it responds")
		}
	})
}
