package catalog

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/awsretry"
	"github.com/headgate/headgate/internal/database"
)

// pendingPartition has the pending items of all accounts, which are few.
const pendingPartition = "pending"

func pendingPrefix(account, claimKey string) string { return account + "#" + claimKey + "#" }

func pendingKey(p database.Pending) item {
	return key(pendingPartition, pendingPrefix(p.Account, p.ClaimKey)+p.DatabaseID)
}

// AddPending stores p, as database.Catalog says.
func (c *Catalog) AddPending(ctx context.Context, p database.Pending) error {
	document, err := json.Marshal(p)
	if err != nil {
		return broken(fmt.Errorf("encode pending item: %w", err))
	}
	stored := pendingKey(p)
	stored[attrDocument] = text(string(document))
	err = write(ctx, c.client.PutItem, &dynamodb.PutItemInput{TableName: &c.table, Item: stored})
	if err != nil {
		return awsretry.DomainError(err, fmt.Errorf("store pending item: %w", err), apierror.UnknownOutcome)
	}
	return nil
}

// RemovePending removes p, as database.Catalog says.
func (c *Catalog) RemovePending(ctx context.Context, p database.Pending) error {
	err := write(ctx, c.client.DeleteItem, &dynamodb.DeleteItemInput{TableName: &c.table, Key: pendingKey(p)})
	if err != nil {
		return awsretry.DomainError(err, fmt.Errorf("remove pending item: %w", err), apierror.UnknownOutcome)
	}
	return nil
}

// completePending removes the item if it exists.
func (c *Catalog) completePending(p database.Pending) types.TransactWriteItem {
	return types.TransactWriteItem{Delete: &types.Delete{
		TableName: &c.table, Key: pendingKey(p), ConditionExpression: aws.String("attribute_exists(PK)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}

// PendingOf returns the pending items of a claim's key, as database.Catalog says.
func (c *Catalog) PendingOf(ctx context.Context, account, claimKey string) ([]database.Pending, error) {
	return c.queryPending(ctx, pendingPrefix(account, claimKey))
}

// AllPending returns all pending items.
func (c *Catalog) AllPending(ctx context.Context) ([]database.Pending, error) {
	return c.queryPending(ctx, "")
}

func (c *Catalog) queryPending(ctx context.Context, prefix string) ([]database.Pending, error) {
	query := &dynamodb.QueryInput{
		TableName: &c.table, ConsistentRead: aws.Bool(true), KeyConditionExpression: aws.String("#pk = :pk"),
		ExpressionAttributeNames: map[string]string{"#pk": attrPK}, ExpressionAttributeValues: item{":pk": text(pendingPartition)},
	}
	if prefix != "" {
		query.KeyConditionExpression = aws.String("#pk = :pk AND begins_with(#sk, :prefix)")
		query.ExpressionAttributeNames["#sk"] = attrSK
		query.ExpressionAttributeValues[":prefix"] = text(prefix)
	}
	var found []database.Pending
	for {
		page, err := c.queryPage(ctx, query)
		if err != nil {
			return nil, err
		}
		for _, stored := range page.Items {
			var p database.Pending
			if err := json.Unmarshal([]byte(item(stored).text(attrDocument)), &p); err != nil {
				return nil, broken(fmt.Errorf("decode pending item: %w", err))
			}
			found = append(found, p)
		}
		if query.ExclusiveStartKey = page.LastEvaluatedKey; len(page.LastEvaluatedKey) == 0 {
			return found, nil
		}
	}
}
