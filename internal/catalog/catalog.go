package catalog

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/headgate/headgate/internal/database"
)

// A table answers within milliseconds, so an attempt without a response for
// seconds is lost. Writes get more time because giving one up leaves its outcome
// ambiguous, pages of a list because they hold up to 1 MB.
const (
	readTimeout         = 8 * time.Second
	readAttemptTimeout  = 3 * time.Second
	writeTimeout        = 12 * time.Second
	writeAttemptTimeout = 5 * time.Second
	pageTimeout         = 12 * time.Second
	pageAttemptTimeout  = 6 * time.Second
)

// Catalog is a database.Catalog on a DynamoDB table. It is safe for concurrent
// use.
type Catalog struct {
	client *dynamodb.Client
	table  string
}

var _ database.Catalog = (*Catalog)(nil)

// Open returns a Catalog on the table. The SDK's own retries are off: see awsretry.
func Open(config aws.Config, table string) *Catalog {
	client := dynamodb.NewFromConfig(config, func(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} })
	return &Catalog{client: client, table: table}
}

// Keys returns the store of API keys in the same table.
func (c *Catalog) Keys() *Keys { return &Keys{catalog: c} }
