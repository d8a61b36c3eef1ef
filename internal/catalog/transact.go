package catalog

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/headgate/headgate/internal/awsretry"
)

// notExists holds if no item has the key.
const notExists = "attribute_not_exists(PK)"

// conditionError says that conditions of a transaction failed. Its text holds
// nothing of the items.
type conditionError struct {
	// failed maps the indexes of failed conditions to the existing items. The item is
	// empty if it does not exist.
	failed map[int]item
}

// Error returns a fixed text.
func (*conditionError) Error() string { return "a condition of the transaction failed" }

// failedConditions returns the existing items of failed conditions by their index
// in the transaction, nil if err has another reason.
func failedConditions(err error) map[int]item {
	if failed, ok := errors.AsType[*conditionError](err); ok {
		return failed.failed
	}
	return nil
}

// ambiguousAttempt returns the error of an attempt with an ambiguous outcome, nil
// if there was none.
func ambiguousAttempt(err error) error {
	if failure, ok := errors.AsType[*awsretry.Failure](err); ok {
		return failure.Ambiguous
	}
	return nil
}

// transact writes all changes or none. The token makes attempts idempotent: for 10
// minutes DynamoDB answers with the success of an earlier attempt, but it need not
// remember a cancellation. The error is an *awsretry.Failure, which wraps a
// *conditionError if conditions failed.
func (c *Catalog) transact(ctx context.Context, token string, changes ...types.TransactWriteItem) error {
	in := &dynamodb.TransactWriteItemsInput{ClientRequestToken: &token, TransactItems: changes}
	policy := awsretry.Policy{
		Timeout: writeTimeout, AttemptTimeout: writeAttemptTimeout, RetryAmbiguous: true, Classify: classifyTransaction,
	}
	return awsretry.Do(ctx, policy, func(ctx context.Context) error {
		_, err := c.client.TransactWriteItems(ctx, in)
		return withConditions(err)
	})
}

// put stores a new item.
func (c *Catalog) put(i item) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &c.table, Item: i, ConditionExpression: aws.String(notExists),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}

// replace stores an item in place of the one with that version.
func (c *Catalog) replace(i item, version int64) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &c.table, Item: i, ConditionExpression: aws.String("#attr = :value"),
		ExpressionAttributeNames:            map[string]string{"#attr": attrVersion},
		ExpressionAttributeValues:           item{":value": number(version)},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}

// deleteIf deletes the item with key k if its attribute has the value.
func (c *Catalog) deleteIf(k item, attribute string, value types.AttributeValue) types.TransactWriteItem {
	return types.TransactWriteItem{Delete: &types.Delete{
		TableName: &c.table, Key: k, ConditionExpression: aws.String("#attr = :value"),
		ExpressionAttributeNames:            map[string]string{"#attr": attribute},
		ExpressionAttributeValues:           item{":value": value},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}

// The codes of cancellation reasons in the API reference of TransactWriteItems.
const (
	reasonNone       = "None"
	reasonCondition  = "ConditionalCheckFailed"
	reasonConflict   = "TransactionConflict"
	reasonThrottling = "ThrottlingError"
	reasonThroughput = "ProvisionedThroughputExceeded"
)

// withConditions returns a *conditionError if err is a cancellation because of
// conditions, otherwise err. The reasons are in the order of the changes.
func withConditions(err error) error {
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

// classifyTransaction returns the outcome of an attempt. A failed condition does
// not tell the outcome of earlier attempts; the caller decides. A conflict may be
// one with an earlier attempt.
func classifyTransaction(err error, outcome awsretry.Outcome) awsretry.Outcome {
	if failedConditions(err) != nil {
		return awsretry.Rejected
	}
	if canceled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		return classifyReasons(canceled.CancellationReasons)
	}
	if _, ok := errors.AsType[*types.TransactionInProgressException](err); ok {
		return awsretry.Ambiguous
	}
	if _, ok := errors.AsType[*types.ReplicatedWriteConflictException](err); ok {
		return awsretry.Contended
	}
	return outcome
}

// classifyReasons returns the outcome of a cancellation without failed conditions.
// A reason that a retry does not fix outweighs the others.
func classifyReasons(reasons []types.CancellationReason) awsretry.Outcome {
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
