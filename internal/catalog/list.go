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

// List gives at most limit of the account's databases in the order of their IDs,
// which is that of their creation, from the first one after the ID after (empty
// for the start). It gives fewer only where no more follow. The error's kind is
// Throttled, Unavailable or Internal.
func (c *Catalog) List(ctx context.Context, account, after string, limit int) ([]database.Database, error) {
	var found []database.Database
	query := c.listQuery(account, after)
	for len(found) < limit {
		// DynamoDB ends a page at 1 MB, whatever its limit.
		query.Limit = aws.Int32(int32(min(limit-len(found), math.MaxInt32)))
		page, err := c.page(ctx, query)
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

// listQuery asks for the documents alone: they hold all that is decoded.
func (c *Catalog) listQuery(account, after string) *dynamodb.QueryInput {
	// The least key that is greater than after's; and one that is greater than
	// any ID's and less than any other kind's.
	first, last := databasePrefix, databasePrefix+"~"
	if after != "" {
		first = databasePrefix + after + "\x00"
	}
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

// page is one page of a query.
func (c *Catalog) page(ctx context.Context, in *dynamodb.QueryInput) (*dynamodb.QueryOutput, error) {
	var page *dynamodb.QueryOutput
	policy := awsretry.Policy{Timeout: pageBudget, AttemptTimeout: pageAttempt}
	err := awsretry.Do(ctx, policy, func(ctx context.Context) (err error) {
		page, err = c.client.Query(ctx, in, once)
		return err
	})
	if err != nil {
		return nil, awsretry.DomainError(err, fmt.Errorf("listing from the table: %w", err), apierror.Unavailable)
	}
	return page, nil
}

func appendDatabases(found []database.Database, page []map[string]types.AttributeValue) ([]database.Database, error) {
	for _, stored := range page {
		d, err := item(stored).database(attrDocument)
		if err != nil {
			return nil, broken(fmt.Errorf("a database in a list: %w", err))
		}
		found = append(found, d)
	}
	return found, nil
}
