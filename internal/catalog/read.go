package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/awsretry"
	"github.com/headgate/headgate/internal/database"
)

// NameOwner returns the ID of the account's database with that name. The error's
// kind is NotFound, Throttled, Unavailable or Internal.
func (c *Catalog) NameOwner(ctx context.Context, account, name string) (string, error) {
	guard, err := c.get(ctx, nameKey(account, name))
	if err != nil {
		return "", err
	}
	id := guard.text(attrDatabaseID)
	if id == "" {
		return "", broken(errors.New("read name: no database ID"))
	}
	return id, nil
}

// Get returns the account's database with that ID. The error's kind is NotFound,
// Throttled, Unavailable or Internal.
func (c *Catalog) Get(ctx context.Context, account, id string) (database.Database, error) {
	return c.document(ctx, databaseKey(account, id), "read database "+id)
}

// document reads the database that an item has as its document. Errors about it begin
// with doing.
func (c *Catalog) document(ctx context.Context, k item, doing string) (database.Database, error) {
	stored, err := c.get(ctx, k)
	if err != nil {
		return database.Database{}, err
	}
	d, err := stored.database(attrDocument)
	if err != nil {
		return database.Database{}, broken(fmt.Errorf("%s: %w", doing, err))
	}
	return d, nil
}

// get reads one item consistently.
func (c *Catalog) get(ctx context.Context, k item) (item, error) {
	policy := awsretry.Policy{Timeout: readTimeout, AttemptTimeout: readAttemptTimeout}
	in := &dynamodb.GetItemInput{TableName: &c.table, Key: k, ConsistentRead: aws.Bool(true)}
	out, err := awsretry.Call(ctx, policy, c.client.GetItem, in)
	if err != nil {
		return nil, awsretry.DomainError(err, fmt.Errorf("read item: %w", err), apierror.Unavailable)
	}
	if len(out.Item) == 0 {
		return nil, apierror.OfStore(apierror.NotFound, nil)
	}
	return out.Item, nil
}

// broken returns the error of an item that is not as this package writes it.
func broken(cause error) error {
	return apierror.OfStore(apierror.Internal, cause)
}
