package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/awsretry"
	"github.com/headgate/headgate/internal/database"
)

// checksIndex is the name of the sparse index of the databases to check.
const checksIndex = "checks"

// The indexes of the items in the transaction of PutHealth.
const (
	healthDatabase = iota
	healthItself
)

func shardKey(shard int) string { return strconv.Itoa(shard) }

// Health returns the stored health of a database, as database.Catalog says.
func (c *Catalog) Health(ctx context.Context, account, id string) (database.HealthRecord, error) {
	stored, err := c.get(ctx, healthKey(account, id))
	if err != nil {
		return database.HealthRecord{}, err
	}
	r, err := stored.health()
	if err != nil {
		return database.HealthRecord{}, broken(fmt.Errorf("read health of database %s: %w", id, err))
	}
	return r, nil
}

// health returns the health in the document.
func (i item) health() (database.HealthRecord, error) {
	var r database.HealthRecord
	if err := json.Unmarshal([]byte(i.text(attrDocument)), &r); err != nil {
		return database.HealthRecord{}, fmt.Errorf("decode attribute %s: %w", attrDocument, err)
	}
	return r, nil
}

// HealthBetween returns the stored health of databases, as database.Catalog says.
func (c *Catalog) HealthBetween(ctx context.Context, account, first, last string) (map[string]database.HealthRecord, error) {
	found := map[string]database.HealthRecord{}
	query := c.rangeQuery(account, healthPrefix+first, healthPrefix+last)
	for {
		page, err := c.queryPage(ctx, query)
		if err != nil {
			return nil, err
		}
		for _, stored := range page.Items {
			r, err := item(stored).health()
			if err != nil {
				return nil, broken(fmt.Errorf("list health: %w", err))
			}
			found[r.DatabaseID] = r
		}
		if query.ExclusiveStartKey = page.LastEvaluatedKey; len(page.LastEvaluatedKey) == 0 {
			return found, nil
		}
	}
}

// PutHealth stores r, as database.Catalog says.
func (c *Catalog) PutHealth(ctx context.Context, r database.HealthRecord, previous string) error {
	document, err := json.Marshal(r)
	if err != nil {
		return broken(fmt.Errorf("encode health of database %s: %w", r.DatabaseID, err))
	}
	stored := healthKey(r.Account, r.DatabaseID)
	stored[attrChange] = text(r.Change)
	stored[attrRequestID] = text(r.RequestID)
	stored[attrDocument] = text(string(document))
	put := c.put(stored)
	if previous != "" {
		put.Put.ConditionExpression = aws.String("#attr = :value")
		put.Put.ExpressionAttributeNames = map[string]string{"#attr": attrChange}
		put.Put.ExpressionAttributeValues = item{":value": text(previous)}
	}
	exists := types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: &c.table, Key: databaseKey(r.Account, r.DatabaseID), ConditionExpression: aws.String("attribute_exists(PK)"),
	}}
	// The token is new: a write that changes nothing but the time has the change of the
	// one before.
	err = c.transact(ctx, uuid.NewString(), exists, put)
	failed := failedConditions(err)
	_, gone := failed[healthDatabase]
	existing, changed := failed[healthItself]
	switch {
	case err == nil, changed && existing.text(attrChange) == r.Change: // an earlier attempt committed
		return nil
	case gone:
		return apierror.OfStore(apierror.NotFound, nil)
	case changed:
		return database.ErrVersionConflict
	}
	return awsretry.DomainError(err, fmt.Errorf("store health of database %s: %w", r.DatabaseID, err), apierror.UnknownOutcome)
}

// ToCheck returns the databases of a shard, as database.Catalog says. A page has some
// thousands of them.
func (c *Catalog) ToCheck(ctx context.Context, shard int) iter.Seq2[database.Ref, error] {
	query := &dynamodb.QueryInput{
		TableName: &c.table, IndexName: aws.String(checksIndex),
		KeyConditionExpression:    aws.String("#shard = :shard"),
		ExpressionAttributeNames:  map[string]string{"#shard": attrCheckShard},
		ExpressionAttributeValues: item{":shard": text(shardKey(shard))},
	}
	return func(yield func(database.Ref, error) bool) {
		for {
			page, err := c.queryPage(ctx, query)
			if err != nil {
				yield(database.Ref{}, err)
				return
			}
			for _, stored := range page.Items {
				ref, err := item(stored).ref()
				if !yield(ref, err) || err != nil {
					return
				}
			}
			if query.ExclusiveStartKey = page.LastEvaluatedKey; len(page.LastEvaluatedKey) == 0 {
				return
			}
		}
	}
}

// ref returns the database that the item's key is of.
func (i item) ref() (database.Ref, error) {
	account, ok := strings.CutPrefix(i.text(attrPK), partition(""))
	id, ok2 := strings.CutPrefix(i.text(attrSK), databasePrefix)
	if !ok || !ok2 {
		return database.Ref{}, broken(errors.New("list databases to check: not the key of a database"))
	}
	return database.Ref{Account: account, DatabaseID: id}, nil
}
