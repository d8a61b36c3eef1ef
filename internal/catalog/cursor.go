package catalog

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/awsretry"
	"github.com/headgate/headgate/internal/database"
)

// CursorKey returns the account's key for signing cursors and creates it if it
// does not exist. The error's kind is Throttled, Unavailable or Internal.
func (c *Catalog) CursorKey(ctx context.Context, account string) ([]byte, error) {
	key, err := c.readCursorKey(ctx, account)
	if apierror.KindOf(err) != apierror.NotFound {
		return key, err
	}
	if err := c.createCursorKey(ctx, account); err != nil {
		return nil, err
	}
	// One of several concurrent creates wins, and all read its key.
	return c.readCursorKey(ctx, account)
}

func (c *Catalog) readCursorKey(ctx context.Context, account string) ([]byte, error) {
	stored, err := c.get(ctx, cursorItemKey(account))
	if err != nil {
		return nil, err
	}
	key, ok := stored[attrCursorKey].(*types.AttributeValueMemberB)
	if !ok || len(key.Value) != database.CursorKeyBytes {
		return nil, broken(fmt.Errorf("read cursor key: not %d bytes", database.CursorKeyBytes))
	}
	return key.Value, nil
}

// createCursorKey stores a new key unless the account has one. It is idempotent, so an
// ambiguous outcome is safe.
func (c *Catalog) createCursorKey(ctx context.Context, account string) error {
	key := make([]byte, database.CursorKeyBytes)
	rand.Read(key) // never fails
	stored := cursorItemKey(account)
	stored[attrCursorKey] = &types.AttributeValueMemberB{Value: key}
	err := write(ctx, c.client.PutItem, &dynamodb.PutItemInput{
		TableName: &c.table, Item: stored, ConditionExpression: aws.String(notExists),
	})
	if err == nil || isConditionFailed(err) {
		return nil
	}
	return awsretry.DomainError(err, fmt.Errorf("create cursor key: %w", err), apierror.Unavailable)
}
