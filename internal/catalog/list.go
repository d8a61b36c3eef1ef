package catalog

import (
	"context"
	"fmt"
	"math"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/awsretry"
	"github.com/headgate/headgate/internal/database"
)

// List returns up to limit of the account's databases in the order of their IDs,
// which is that of their creation. It starts after the ID after, which may be
// empty. It returns fewer only at the end. The error's kind is Throttled,
// Unavailable or Internal.
func (c *Catalog) List(ctx context.Context, account, after string, limit int) ([]database.Database, error) {
	var found []database.Database
	query := c.listQuery(account, after)
	for len(found) < limit {
		// DynamoDB also ends a page at 1 MB.
		query.Limit = aws.Int32(int32(min(limit-len(found), math.MaxInt32)))
		page, err := c.queryPage(ctx, query)
		if err != nil {
			return nil, err
		}
		if found, err = appendDatabases(found, page.Items); err != nil {
			return nil, err
		}
		if query.ExclusiveStartKey = page.LastEvaluatedKey; len(page.LastEvaluatedKey) == 0 {
			break
		}
	}
	return found, nil
}

// listQuery selects the documents, which hold the whole database.
func (c *Catalog) listQuery(account, after string) *dynamodb.QueryInput {
	// "~" is above every character of an ID, and "\x00" makes the smallest key above
	// after's.
	first, last := databasePrefix, databasePrefix+"~"
	if after != "" {
		first = databasePrefix + after + "\x00"
	}
	return c.rangeQuery(account, first, last)
}

// rangeQuery selects the documents of the account's items from one sort key to another.
func (c *Catalog) rangeQuery(account, first, last string) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName: &c.table, ConsistentRead: aws.Bool(true),
		KeyConditionExpression: aws.String("#pk = :pk AND #sk BETWEEN :first AND :last"),
		ProjectionExpression:   aws.String("#document"),
		ExpressionAttributeNames: map[string]string{
			"#pk": attrPK, "#sk": attrSK, "#document": attrDocument,
		},
		ExpressionAttributeValues: item{
			":pk": text(partition(account)), ":first": text(first), ":last": text(last),
		},
	}
}

func (c *Catalog) queryPage(ctx context.Context, in *dynamodb.QueryInput) (*dynamodb.QueryOutput, error) {
	policy := awsretry.Policy{Timeout: pageTimeout, AttemptTimeout: pageAttemptTimeout}
	page, err := awsretry.Call(ctx, policy, c.client.Query, in)
	if err != nil {
		return nil, awsretry.DomainError(err, fmt.Errorf("query items: %w", err), apierror.Unavailable)
	}
	return page, nil
}

func appendDatabases(found []database.Database, page []map[string]types.AttributeValue) ([]database.Database, error) {
	for _, stored := range page {
		d, err := item(stored).database(attrDocument)
		if err != nil {
			return nil, broken(fmt.Errorf("list databases: %w", err))
		}
		found = append(found, d)
	}
	return found, nil
}
