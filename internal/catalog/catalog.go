package catalog

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/headgate/headgate/internal/database"
)

// Client is what this package uses of the SDK's DynamoDB client.
type Client interface {
	GetItem(ctx context.Context, in *dynamodb.GetItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	Query(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	PutItem(ctx context.Context, in *dynamodb.PutItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, opts ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// The time that calls and their attempts may take where their context allows it.
// A table answers within milliseconds; an attempt that has not been answered for
// seconds won't be. A write is given longer, since giving one up leaves a doubt,
// and so is a page of a list, which may be 1 MB.
const (
	readBudget   = 8 * time.Second
	readAttempt  = 3 * time.Second
	writeBudget  = 12 * time.Second
	writeAttempt = 5 * time.Second
	pageBudget   = 12 * time.Second
	pageAttempt  = 6 * time.Second
)

// Catalog is a database.Catalog on a DynamoDB table. It is safe for concurrent
// use.
type Catalog struct {
	client Client
	table  string
}

var _ database.Catalog = (*Catalog)(nil)

// New makes a Catalog on the table called table.
func New(client Client, table string) *Catalog {
	return &Catalog{client: client, table: table}
}

// Open makes a Catalog on the table called table, that is reached by config.
func Open(config aws.Config, table string) *Catalog {
	return New(dynamodb.NewFromConfig(config), table)
}

// Keys is the store of API keys in the same table.
func (c *Catalog) Keys() *Keys { return &Keys{catalog: c} }

// once leaves repeating a call to awsretry.Do.
func once(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} }
