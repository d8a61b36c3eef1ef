package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/awsretry"
	"github.com/headgate/headgate/internal/database"
)

const (
	// claimable is the condition on which a claim is put: there is none, its time
	// is up, or it was left without a result.
	claimable = absent + " OR #claimed_at <= :forgotten OR (attribute_not_exists(#result) AND #claimed_at < :abandoned)"
	// heldWithoutResult is the condition on which a claim is given a result, or up.
	heldWithoutResult = "#owner = :owner AND attribute_not_exists(#result)"

	// fixedTime is RFC 3339 with all of its digits, so that the order of the text
	// is that of the time.
	fixedTime = "2006-01-02T15:04:05.000000000Z"
)

// Claim takes c.Key for c.Owner, by the clock of whoever made c, or gives the
// claim that stands, as database.Catalog says. The error's kind is Throttled or
// Unavailable (nothing was changed), UnknownOutcome or Internal. A claim of
// unknown outcome is free again after database.ClaimTime.
func (c *Catalog) Claim(ctx context.Context, claim database.Claim) (database.Claim, error) {
	in := c.claimInput(claim)
	err := write(ctx, func(ctx context.Context) error {
		_, err := c.client.PutItem(ctx, in, once)
		return err
	})
	if err == nil {
		return claim, nil
	}
	if refusal, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return standingClaim(refusal.Item, claim)
	}
	return database.Claim{}, awsretry.DomainError(err, fmt.Errorf("claiming an idempotency key: %w", err), apierror.UnknownOutcome)
}

func (c *Catalog) claimInput(claim database.Claim) *dynamodb.PutItemInput {
	return &dynamodb.PutItemInput{
		TableName:                &c.table,
		Item:                     claimItem(claim),
		ConditionExpression:      aws.String(claimable),
		ExpressionAttributeNames: map[string]string{"#claimed_at": attrClaimedAt, "#result": attrResult},
		ExpressionAttributeValues: item{
			":forgotten": fixedStamp(claim.ClaimedAt.Add(-database.ReplayTime)),
			":abandoned": fixedStamp(claim.ClaimedAt.Add(-database.ClaimTime)),
		},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
}

// standingClaim is the claim in an item that stood in claim's way: claim itself,
// where an attempt of its own has put the item.
func standingClaim(i item, claim database.Claim) (database.Claim, error) {
	stands, err := i.claim(claim)
	if err != nil {
		return database.Claim{}, broken(fmt.Errorf("an idempotency record: %w", err))
	}
	if stands.Owner == claim.Owner && stands.Result == nil {
		return claim, nil
	}
	return stands, nil
}

// Release gives up the claim, if it stands and has no result; one that does not
// counts as done. The error's kind is Throttled or Unavailable (nothing was
// changed), UnknownOutcome or Internal.
func (c *Catalog) Release(ctx context.Context, claim database.Claim) error {
	in := &dynamodb.DeleteItemInput{
		TableName:                 &c.table,
		Key:                       claimKey(claim),
		ConditionExpression:       aws.String(heldWithoutResult),
		ExpressionAttributeNames:  map[string]string{"#owner": attrOwner, "#result": attrResult},
		ExpressionAttributeValues: item{":owner": text(claim.Owner)},
	}
	err := write(ctx, func(ctx context.Context) error {
		_, err := c.client.DeleteItem(ctx, in, once)
		return err
	})
	if err == nil || isConditionFailure(err) {
		return nil
	}
	return awsretry.DomainError(err, fmt.Errorf("releasing an idempotency key: %w", err), apierror.UnknownOutcome)
}

func fixedStamp(t time.Time) types.AttributeValue { return text(t.UTC().Format(fixedTime)) }

// claimItem is a claim without a result. Its TTL is rounded up: until its time is
// up a claim stands, to the nanosecond.
func claimItem(c database.Claim) item {
	i := claimKey(c)
	i[attrOwner] = text(c.Owner)
	i[attrPayloadHash] = text(c.PayloadHash)
	i[attrClaimedAt] = fixedStamp(c.ClaimedAt)
	i[attrExpiresAt] = number(c.ClaimedAt.Add(database.ReplayTime + time.Second - 1).Unix())
	return i
}

// claim is the claim in the item, which is under the key of like.
func (i item) claim(like database.Claim) (database.Claim, error) {
	at, err := i.time(attrClaimedAt)
	if err != nil {
		return database.Claim{}, err
	}
	c := database.Claim{
		Account: like.Account, Key: like.Key, Owner: i.text(attrOwner), PayloadHash: i.text(attrPayloadHash), ClaimedAt: at,
	}
	if c.Owner == "" || at.IsZero() {
		return database.Claim{}, errors.New("it lacks an owner or its time")
	}
	if _, ok := i[attrResult]; ok {
		d, err := i.database(attrResult)
		if err != nil {
			return database.Claim{}, err
		}
		c.Result = &d
	}
	return c, nil
}

// isResult says whether the item is c with d as its result.
func (i item) isResult(c database.Claim, d database.Database) bool {
	return i.text(attrOwner) == c.Owner && i.text(attrDatabase) == d.ID
}
