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
	// unclaimed holds if there is no claim, it expired, or its request ended without
	// a result.
	unclaimed = notExists + " OR #claimed_at <= :expired OR (attribute_not_exists(#result) AND #claimed_at < :abandoned)"
	// heldWithoutResult holds if the claim is the owner's and has no result.
	heldWithoutResult = "#owner = :owner AND attribute_not_exists(#result)"

	// fixedTime is RFC 3339 with all nine digits, so that times sort as text.
	fixedTime = "2006-01-02T15:04:05.000000000Z"
)

// Claim takes c.Key for c.Owner or returns the existing claim, as
// database.Catalog says. The time is c.ClaimedAt. The error's kind is Throttled or
// Unavailable (nothing was changed), UnknownOutcome or Internal. A claim with an
// unknown outcome lapses after database.ClaimTime.
func (c *Catalog) Claim(ctx context.Context, claim database.Claim) (database.Claim, error) {
	err := write(ctx, c.client.PutItem, c.claimInput(claim))
	if err == nil {
		return claim, nil
	}
	if failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return existingClaim(failed.Item, claim)
	}
	return database.Claim{}, awsretry.DomainError(err, fmt.Errorf("claim idempotency key: %w", err), apierror.UnknownOutcome)
}

func (c *Catalog) claimInput(claim database.Claim) *dynamodb.PutItemInput {
	return &dynamodb.PutItemInput{
		TableName:                &c.table,
		Item:                     claimItem(claim),
		ConditionExpression:      aws.String(unclaimed),
		ExpressionAttributeNames: map[string]string{"#claimed_at": attrClaimedAt, "#result": attrResult},
		ExpressionAttributeValues: item{
			":expired":   fixedTimestamp(claim.ClaimedAt.Add(-database.ReplayTime)),
			":abandoned": fixedTimestamp(claim.ClaimedAt.Add(-database.ClaimTime)),
		},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
}

// existingClaim returns the claim that failed the condition. That is claim itself
// if an earlier attempt stored it.
func existingClaim(i item, claim database.Claim) (database.Claim, error) {
	existing, err := i.claim(claim)
	if err != nil {
		return database.Claim{}, broken(fmt.Errorf("read idempotency record: %w", err))
	}
	if existing.Owner == claim.Owner && existing.Result == nil {
		return claim, nil
	}
	return existing, nil
}

// Release removes the claim if it is still the owner's and has no result;
// otherwise it changes nothing. The error's kind is Throttled or Unavailable
// (nothing was changed), UnknownOutcome or Internal.
func (c *Catalog) Release(ctx context.Context, claim database.Claim) error {
	err := write(ctx, c.client.DeleteItem, &dynamodb.DeleteItemInput{
		TableName:                 &c.table,
		Key:                       claimKey(claim),
		ConditionExpression:       aws.String(heldWithoutResult),
		ExpressionAttributeNames:  map[string]string{"#owner": attrOwner, "#result": attrResult},
		ExpressionAttributeValues: item{":owner": text(claim.Owner)},
	})
	if err == nil || isConditionFailed(err) {
		return nil
	}
	return awsretry.DomainError(err, fmt.Errorf("release idempotency key: %w", err), apierror.UnknownOutcome)
}

func fixedTimestamp(t time.Time) types.AttributeValue { return text(t.UTC().Format(fixedTime)) }

// claimItem returns the item of a claim without a result. Its TTL, in seconds, is
// rounded up, because the claim expires to the nanosecond.
func claimItem(c database.Claim) item {
	i := claimKey(c)
	i[attrOwner] = text(c.Owner)
	i[attrPayloadHash] = text(c.PayloadHash)
	i[attrClaimedAt] = fixedTimestamp(c.ClaimedAt)
	i[attrExpiresAt] = number(c.ClaimedAt.Add(database.ReplayTime + time.Second - 1).Unix())
	return i
}

// claim returns the claim in the item, which has the key of like.
func (i item) claim(like database.Claim) (database.Claim, error) {
	at, err := i.time(attrClaimedAt)
	if err != nil {
		return database.Claim{}, err
	}
	c := database.Claim{
		Account: like.Account, Key: like.Key, Owner: i.text(attrOwner), PayloadHash: i.text(attrPayloadHash), ClaimedAt: at,
	}
	if c.Owner == "" || at.IsZero() {
		return database.Claim{}, errors.New("no owner or no time")
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

// isResult reports whether the item is the claim c with d as its result.
func (i item) isResult(c database.Claim, d database.Database) bool {
	return i.text(attrOwner) == c.Owner && i.text(attrDatabase) == d.ID
}
