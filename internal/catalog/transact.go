package catalog

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/headgate/headgate/internal/awsretry"
)

// absent is the condition on which an item is put: its key is not in use.
const absent = "attribute_not_exists(PK)"

// conditionError is the answer that conditions of a transaction did not hold.
type conditionError struct {
	// failed is what stood under the keys of those items, by their place in the
	// transaction: empty where nothing did.
	failed map[int]item
}

// Error says which it was, and nothing of the items.
func (*conditionError) Error() string { return "a condition of the transaction does not hold" }

// failedConditions are those of the transaction that ended with err, if it was
// for them that it did.
func failedConditions(err error) map[int]item {
	if refusal, ok := errors.AsType[*conditionError](err); ok {
		return refusal.failed
	}
	return nil
}

// doubtOf is the error of an earlier attempt whose outcome is unknown, if there
// was one.
func doubtOf(err error) error {
	if failure, ok := errors.AsType[*awsretry.Failure](err); ok {
		return failure.Ambiguous
	}
	return nil
}

// transact makes all of the changes or none. Token makes repeated attempts one:
// DynamoDB answers for ten minutes with the success of an earlier attempt that it
// saw; it does not promise to remember a refusal. The error is an
// *awsretry.Failure, of a *conditionError where conditions did not hold.
func (c *Catalog) transact(ctx context.Context, token string, changes ...types.TransactWriteItem) error {
	in := &dynamodb.TransactWriteItemsInput{ClientRequestToken: &token, TransactItems: changes}
	policy := awsretry.Policy{
		Timeout: writeBudget, AttemptTimeout: writeAttempt, RetryAmbiguous: true, Classify: readTransaction,
	}
	return awsretry.Do(ctx, policy, func(ctx context.Context) error {
		_, err := c.client.TransactWriteItems(ctx, in, once)
		return cancellation(err)
	})
}

// put keeps a new item.
func (c *Catalog) put(i item) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &c.table, Item: i, ConditionExpression: aws.String(absent),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}

// replace puts an item in the place of the one that has that version.
func (c *Catalog) replace(i item, version int64) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &c.table, Item: i, ConditionExpression: aws.String("#is = :is"),
		ExpressionAttributeNames:            map[string]string{"#is": attrVersion},
		ExpressionAttributeValues:           item{":is": number(version)},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}

// remove deletes the item under k if its attribute called name has that value.
func (c *Catalog) remove(k item, name string, value types.AttributeValue) types.TransactWriteItem {
	return types.TransactWriteItem{Delete: &types.Delete{
		TableName: &c.table, Key: k, ConditionExpression: aws.String("#is = :is"),
		ExpressionAttributeNames:            map[string]string{"#is": name},
		ExpressionAttributeValues:           item{":is": value},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}

// The codes of a cancellation's reasons, from the API reference of
// TransactWriteItems.
const (
	reasonNone       = "None"
	reasonCondition  = "ConditionalCheckFailed"
	reasonConflict   = "TransactionConflict"
	reasonThrottling = "ThrottlingError"
	reasonThroughput = "ProvisionedThroughputExceeded"
)

// cancellation finds in the error of a transaction which conditions did not hold;
// the reasons stand in the order of the items.
func cancellation(err error) error {
	canceled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		return err
	}
	failed := map[int]item{}
	for i, reason := range canceled.CancellationReasons {
		if aws.ToString(reason.Code) == reasonCondition {
			failed[i] = reason.Item
		}
	}
	if len(failed) == 0 {
		return err
	}
	return &conditionError{failed: failed}
}

// readTransaction reads the error of one attempt of a transaction. What a failed
// condition says of the attempts before it is for the caller to judge; a conflict
// may be one with ourselves.
func readTransaction(err error, outcome awsretry.Outcome) awsretry.Outcome {
	if failedConditions(err) != nil {
		return awsretry.Rejected
	}
	if canceled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		return readReasons(canceled.CancellationReasons)
	}
	if _, ok := errors.AsType[*types.TransactionInProgressException](err); ok {
		return awsretry.Ambiguous
	}
	if _, ok := errors.AsType[*types.ReplicatedWriteConflictException](err); ok {
		return awsretry.Contended
	}
	return outcome
}

// readReasons reads why a transaction was cancelled, where no condition failed.
// A reason that repeating does not mend outweighs the others.
func readReasons(reasons []types.CancellationReason) awsretry.Outcome {
	outcome := awsretry.Rejected
	for _, reason := range reasons {
		switch aws.ToString(reason.Code) {
		case reasonNone, "":
		case reasonConflict:
			if outcome != awsretry.Throttled {
				outcome = awsretry.Contended
			}
		case reasonThrottling, reasonThroughput:
			outcome = awsretry.Throttled
		default:
			return awsretry.Rejected
		}
	}
	return outcome
}
