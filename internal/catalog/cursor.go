package catalog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/awsretry"
)

const cursorKeyBytes = 32

// CursorKey is the account's key for signing cursors, made where there is none
// yet. The error's kind is Throttled, Unavailable or Internal.
func (c *Catalog) CursorKey(ctx context.Context, account string) ([]byte, error) {
	key, err := c.readCursorKey(ctx, account)
	if apierror.KindOf(err) != apierror.NotFound {
		return key, err
	}
	if err := c.makeCursorKey(ctx, account); err != nil {
		return nil, err
	}
	// Of those that make one at once, one puts it, and all read the same.
	return c.readCursorKey(ctx, account)
}

func (c *Catalog) readCursorKey(ctx context.Context, account string) ([]byte, error) {
	stored, err := c.get(ctx, cursorItemKey(account))
	if err != nil {
		return nil, err
	}
	key, ok := stored[attrCursorKey].(*types.AttributeValueMemberB)
	if !ok || len(key.Value) != cursorKeyBytes {
		return nil, broken(errors.New("a key for cursors of another form"))
	}
	return key.Value, nil
}

// makeCursorKey puts a key where there is none. It may be repeated, so a doubt
// about it is none.
func (c *Catalog) makeCursorKey(ctx context.Context, account string) error {
	key := make([]byte, cursorKeyBytes)
	rand.Read(key) // which never fails
	stored := cursorItemKey(account)
	stored[attrCursorKey] = &types.AttributeValueMemberB{Value: key}
	err := write(ctx, func(ctx context.Context) error {
		_, err := c.client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: &c.table, Item: stored, ConditionExpression: aws.String(absent),
		}, once)
		return err
	})
	if err == nil || isConditionFailure(err) {
		return nil
	}
	return awsretry.DomainError(err, fmt.Errorf("making a key for cursors: %w", err), apierror.Unavailable)
}
