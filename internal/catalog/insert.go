package catalog

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/awsretry"
	"github.com/headgate/headgate/internal/database"
)

// The indexes of an insert's first items in its transaction.
const (
	insertDatabase = iota
	insertGuard
)

// insertion is an insert with the indexes of the items that it may not have, or -1.
type insertion struct {
	d               database.Database
	claim           *database.Claim
	result, pending int
}

// Insert stores d and takes its name in one transaction. With a claim, which must
// still be held, d becomes its result in the same transaction. Insert is
// idempotent.
//
// The error is database.ErrNameTaken or database.ErrClaimLost; otherwise its kind
// is Throttled or Unavailable (nothing was stored), UnknownOutcome or Internal.
// ErrNameTaken has the kind UnknownOutcome if an earlier attempt may still commit;
// see nameTaken.
func (c *Catalog) Insert(ctx context.Context, d database.Database, claim *database.Claim, options ...database.WriteOption) error {
	stored, err := databaseItem(d)
	if err != nil {
		return broken(err)
	}
	in, w := insertion{d: d, claim: claim, result: -1, pending: -1}, database.NewWriting(options)
	changes := []types.TransactWriteItem{c.put(stored), c.put(guardItem(d.Account, d.Name, d.ID))}
	if claim != nil {
		result, err := c.setResult(*claim, d)
		if err != nil {
			return broken(err)
		}
		in.result, changes = len(changes), append(changes, result)
	}
	if w.Pending != nil {
		in.pending, changes = len(changes), append(changes, c.completePending(*w.Pending))
	}
	if err := c.transactSlots(ctx, d.ID, changes, moveSlots(database.Database{}, d, w)...); err != nil {
		return in.error(err)
	}
	return nil
}

// setResult makes d the claim's result, if the claim is held and has no result yet.
func (c *Catalog) setResult(claim database.Claim, d database.Database) (types.TransactWriteItem, error) {
	document, err := json.Marshal(d)
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("encode database %s: %w", d.ID, err)
	}
	return types.TransactWriteItem{Update: &types.Update{
		TableName:           &c.table,
		Key:                 claimKey(claim),
		ConditionExpression: aws.String(heldWithoutResult),
		UpdateExpression:    aws.String("SET #result = :result, #database = :database"),
		ExpressionAttributeNames: map[string]string{
			"#owner": attrOwner, "#result": attrResult, "#database": attrDatabase,
		},
		ExpressionAttributeValues: item{
			":owner": text(claim.Owner), ":result": text(string(document)), ":database": text(d.ID),
		},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}, nil
}

// error returns the error of an insert whose transaction returned err, nil if
// an earlier attempt committed.
//
// An attempt committed if the database's item or its guard exists, because only
// this insert has its ID. It also committed if d is the claim's result, even where
// the database has been deleted since. No attempt commits once the claim is
// another's or gone: no owner gets a claim twice.
func (in insertion) error(err error) error {
	d := in.d
	failed := failedConditions(err)
	_, exists := failed[insertDatabase]
	nameOwner := failed[insertGuard].text(attrDatabaseID)
	record, claimFailed := failed[in.result]
	_, pendingGone := failed[in.pending]
	switch {
	case exists, nameOwner == d.ID, claimFailed && record.isResult(*in.claim, d):
		return nil
	case claimFailed:
		return database.ErrClaimLost
	case nameOwner != "":
		return nameTaken(err)
	case pendingGone && ambiguousAttempt(err) == nil:
		return database.ErrPendingGone
	case isSlotError(err):
		return err
	}
	return awsretry.DomainError(err, fmt.Errorf("insert database %s: %w", d.ID, err), apierror.UnknownOutcome)
}

// nameTaken returns the error of a write whose name belongs to another database.
//
// Its kind is UnknownOutcome if the outcome of an earlier attempt is ambiguous: that
// attempt may still be in progress, and commits if the other database is deleted
// before it is evaluated. The failed condition of a later attempt does not rule
// that out, because DynamoDB remembers a token's success but not its cancellation.
// The caller then keeps the secret: the transaction may still commit.
func nameTaken(err error) error {
	if ambiguous := ambiguousAttempt(err); ambiguous != nil {
		return apierror.New(apierror.UnknownOutcome, "the name is taken",
			fmt.Errorf("%w (after an attempt with an ambiguous outcome: %w)", database.ErrNameTaken, ambiguous))
	}
	return database.ErrNameTaken
}
