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

// The places of an insert's items in its transaction.
const (
	insertedDatabase = iota
	insertedGuard
	insertedResult
)

// Insert keeps d and takes its name in one transaction; with a claim, which has
// to be held still, d becomes its result in the same transaction. An insert of d
// that landed before counts as done.
//
// The error is database.ErrNameTaken where another database has the name, or
// database.ErrClaimLost; else its kind is Throttled or Unavailable (nothing was
// kept), UnknownOutcome or Internal. ErrNameTaken itself is of kind
// UnknownOutcome where an earlier attempt could yet land; see nameTaken.
func (c *Catalog) Insert(ctx context.Context, d database.Database, claim *database.Claim) error {
	stored, err := databaseItem(d)
	if err != nil {
		return broken(err)
	}
	changes := []types.TransactWriteItem{c.put(stored), c.put(guardItem(d.Account, d.Name, d.ID))}
	if claim != nil {
		result, err := c.result(*claim, d)
		if err != nil {
			return broken(err)
		}
		changes = append(changes, result)
	}
	if err := c.transact(ctx, d.ID, changes...); err != nil {
		return insertOutcome(err, d, claim)
	}
	return nil
}

// result makes d the claim's result, if the claim stands and has none.
func (c *Catalog) result(claim database.Claim, d database.Database) (types.TransactWriteItem, error) {
	document, err := json.Marshal(d)
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("encoding database %s: %w", d.ID, err)
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

// insertOutcome is what became of an insert that ended with err.
//
// That d's item is there settles it, since the ID is d's alone: whoever put it
// was an attempt of ours. So does the claim with d as its result, which tells of
// an attempt that landed even where the database has been deleted and its name
// taken since. A claim that is another's, or nobody's, settles the contrary, for
// the attempts in doubt too: an owner is never a claim's again.
func insertOutcome(err error, d database.Database, claim *database.Claim) error {
	failed := failedConditions(err)
	_, exists := failed[insertedDatabase]
	guard := failed[insertedGuard].text(attrDatabaseID)
	record, unclaimed := failed[insertedResult]
	switch {
	case exists, guard == d.ID, unclaimed && record.isResult(*claim, d):
		return nil
	case unclaimed:
		return database.ErrClaimLost
	case guard != "":
		return nameTaken(err)
	}
	return awsretry.DomainError(err, fmt.Errorf("inserting database %s: %w", d.ID, err), apierror.UnknownOutcome)
}

// nameTaken is the error of a write whose name has another's ID in its guard.
//
// That settles it, nearly always: while the other has the name, no attempt of
// ours can land. But where the outcome of an earlier attempt is unknown, that
// attempt may still be under way, and would land if the other database were
// deleted before it is evaluated. DynamoDB promises to remember a token's
// success, not its cancellation, so the later answer does not rule it out. The
// caller is then told both: the name is taken, and what was kept for the
// database must stay, lest the late comer be without its passwords.
func nameTaken(err error) error {
	if doubt := doubtOf(err); doubt != nil {
		return apierror.New(apierror.UnknownOutcome, "the name is taken",
			fmt.Errorf("%w (after an attempt of unknown outcome: %w)", database.ErrNameTaken, doubt))
	}
	return database.ErrNameTaken
}
