package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/headgate/headgate/internal/awscall"
	"github.com/headgate/headgate/internal/database"
)

// absent is the condition on which an item is put: its key is not in use.
const absent = "attribute_not_exists(PK)"

// errExists is the answer that the first item of a transaction is there already.
var errExists = errors.New("the item exists")

// Insert keeps d and takes its name in one transaction. An insert of d that
// landed before counts as done.
//
// The error is database.ErrNameTaken where another database has the name; else
// its kind is Throttled or Unavailable (nothing was kept), UnknownOutcome or
// Internal. ErrNameTaken itself is of kind UnknownOutcome where an earlier
// attempt could yet land; see nameTaken.
func (c *Catalog) Insert(ctx context.Context, d database.Database) error {
	stored, err := databaseItem(d)
	if err != nil {
		return broken(err)
	}
	err = c.putNew(ctx, d.ID, stored, guardItem(d.Account, d.Name, d.ID))
	taken, refused := errors.AsType[*conditionError](err)
	switch {
	case err == nil, errors.Is(err, errExists):
		// The ID is d's alone, so whoever put the item was an attempt of ours,
		// even where the name has gone to another since.
		return nil
	case refused && taken.other.text(attrDatabaseID) == d.ID:
		return nil
	case refused && taken.other.text(attrDatabaseID) != "":
		return nameTaken(err)
	}
	return awscall.Error(err, fmt.Errorf("inserting database %s: %w", d.ID, err), database.UnknownOutcome)
}

// nameTaken is the error of an insert whose name has another's ID in its guard.
//
// That settles it, nearly always: while the other has the name, no attempt of
// ours can land. But where the outcome of an earlier attempt is unknown, that
// attempt may still be under way, and would land if the other database were
// deleted before it is evaluated. DynamoDB promises to remember a token's
// success, not its cancellation, so the later answer does not rule it out. The
// caller is then told both: the name is taken, and what was kept for the
// database must stay, lest the late comer be without its passwords.
func nameTaken(err error) error {
	failure, ok := errors.AsType[*awscall.Failure](err)
	if ok && failure.Doubt != nil {
		return database.NewError(database.UnknownOutcome, "the name is taken",
			fmt.Errorf("%w (after an attempt of unknown outcome: %w)", database.ErrNameTaken, failure.Doubt))
	}
	return database.ErrNameTaken
}

// conditionError is the answer that the second item of a transaction is there
// already, and the first is not.
type conditionError struct{ other item }

// Error says what stands in the way.
func (e *conditionError) Error() string { return "an item with that key exists" }

// putNew puts two items in one transaction, on condition that neither is there.
// Token makes repeated attempts one: DynamoDB answers for ten minutes with the
// success of an earlier attempt that it saw. The error is errExists where the
// first item is there, a *conditionError where only the second is, or an
// *awscall.Failure.
func (c *Catalog) putNew(ctx context.Context, token string, first, second item) error {
	in := &dynamodb.TransactWriteItemsInput{
		ClientRequestToken: &token,
		TransactItems:      []types.TransactWriteItem{{Put: c.put(first)}, {Put: c.put(second)}},
	}
	in.TransactItems[1].Put.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	policy := awscall.Policy{
		Budget: writeBudget, Attempt: writeAttempt, Persist: true, Read: readTransaction,
	}
	return awscall.Do(ctx, policy, func(ctx context.Context) error {
		_, err := c.client.TransactWriteItems(ctx, in, once)
		return cancellation(err)
	})
}

func (c *Catalog) put(i item) *types.Put {
	return &types.Put{TableName: &c.table, Item: i, ConditionExpression: aws.String(absent)}
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

// cancellation finds in the error of a transaction which of putNew's two items
// was there; the reasons stand in the order of the items.
func cancellation(err error) error {
	canceled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		return err
	}
	reasons := canceled.CancellationReasons
	switch {
	case hasReason(reasons, 0, reasonCondition):
		return errExists
	case hasReason(reasons, 1, reasonCondition):
		return &conditionError{other: reasons[1].Item}
	}
	return err
}

func hasReason(reasons []types.CancellationReason, index int, code string) bool {
	return index < len(reasons) && aws.ToString(reasons[index].Code) == code
}

// readTransaction reads the error of one attempt of a transaction. Only a failed
// condition settles what became of the attempts before it: a conflict may be one
// with ourselves.
func readTransaction(err error, fault awscall.Fault) awscall.Fault {
	if errors.Is(err, errExists) {
		return awscall.Settled
	}
	if exists, ok := errors.AsType[*conditionError](err); ok {
		if len(exists.other) == 0 {
			return awscall.Refused
		}
		return awscall.Settled
	}
	if canceled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		return readReasons(canceled.CancellationReasons)
	}
	if _, ok := errors.AsType[*types.TransactionInProgressException](err); ok {
		return awscall.Unknown
	}
	if _, ok := errors.AsType[*types.ReplicatedWriteConflictException](err); ok {
		return awscall.Contended
	}
	return fault
}

// readReasons reads why a transaction was cancelled, where no condition failed.
// A reason that repeating does not mend outweighs the others.
func readReasons(reasons []types.CancellationReason) awscall.Fault {
	fault := awscall.Refused
	for _, reason := range reasons {
		switch aws.ToString(reason.Code) {
		case reasonNone, "":
		case reasonConflict:
			if fault != awscall.Throttled {
				fault = awscall.Contended
			}
		case reasonThrottling, reasonThroughput:
			fault = awscall.Throttled
		default:
			return awscall.Refused
		}
	}
	return fault
}
