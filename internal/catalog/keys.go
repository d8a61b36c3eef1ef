package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/apikey"
	"github.com/headgate/headgate/internal/awsretry"
)

// The attributes of API keys. ExpiresAt is the table's TTL attribute, in Unix
// seconds; DynamoDB may take days to act on it.
const (
	attrHash      = "hash"
	attrID        = "id"
	attrAccountID = "account_id"
	attrName      = "name"
	attrExpiresAt = "expires_at"
	attrRevokedAt = "revoked_at"
)

// tokenLength is the longest ClientRequestToken that DynamoDB takes.
const tokenLength = 36

// Keys is an apikey.Store on the catalog's table. It is safe for concurrent use.
type Keys struct{ catalog *Catalog }

var _ apikey.Store = (*Keys)(nil)

func hashKey(hash string) item { return key("key#"+hash, "key") }

func indexKey(account, id string) item { return key("account#"+account, "key#"+id) }

// Insert keeps k under its hash, and its hash under its account and ID, in one
// transaction.
func (s *Keys) Insert(ctx context.Context, k apikey.Key) error {
	err := s.catalog.transact(ctx, k.Hash[:min(len(k.Hash), tokenLength)],
		s.catalog.put(keyItem(k)), s.catalog.put(indexItem(k)))
	if _, exists := failedConditions(err)[0]; err == nil || exists {
		// Nobody but an earlier attempt of ours can have made a key of that hash.
		return nil
	}
	return awsretry.DomainError(err, fmt.Errorf("inserting API key %s: %w", k.ID, err), apierror.UnknownOutcome)
}

// Find is the key with that hash.
func (s *Keys) Find(ctx context.Context, hash string) (apikey.Key, error) {
	stored, err := s.catalog.get(ctx, hashKey(hash))
	if err != nil {
		return apikey.Key{}, err
	}
	k, err := stored.apiKey(hash)
	if err != nil {
		return apikey.Key{}, broken(fmt.Errorf("an API key: %w", err))
	}
	return k, nil
}

// Revoke looks up the key's hash, and marks the key as revoked if it was not.
func (s *Keys) Revoke(ctx context.Context, account, id string, at time.Time) error {
	index, err := s.catalog.get(ctx, indexKey(account, id))
	if err != nil {
		return err
	}
	err = write(ctx, func(ctx context.Context) error {
		_, err := s.catalog.client.UpdateItem(ctx, s.revocation(account, index.text(attrHash), at), once)
		return err
	})
	if err == nil {
		return nil
	}
	cause := fmt.Errorf("revoking API key %s: %w", id, err)
	if isConditionFailure(err) {
		// The index outlived its key, which DynamoDB has removed as expired.
		return apierror.New(apierror.NotFound, "not found", cause)
	}
	return awsretry.DomainError(err, cause, apierror.UnknownOutcome)
}

// revocation may be repeated: it leaves the time of a first one as it is.
func (s *Keys) revocation(account, hash string, at time.Time) *dynamodb.UpdateItemInput {
	return &dynamodb.UpdateItemInput{
		TableName:           &s.catalog.table,
		Key:                 hashKey(hash),
		ConditionExpression: aws.String("attribute_exists(PK) AND account_id = :account"),
		UpdateExpression:    aws.String("SET revoked_at = if_not_exists(revoked_at, :at)"),
		ExpressionAttributeValues: item{
			":account": text(account), ":at": stamp(at),
		},
	}
}

func keyItem(k apikey.Key) item {
	i := hashKey(k.Hash)
	i[attrAccountID] = text(k.Account)
	i[attrID] = text(k.ID)
	i[attrName] = text(k.Name)
	i[attrCreatedAt] = stamp(k.CreatedAt)
	i.expire(k)
	if !k.RevokedAt.IsZero() {
		i[attrRevokedAt] = stamp(k.RevokedAt)
	}
	return i
}

func indexItem(k apikey.Key) item {
	i := indexKey(k.Account, k.ID)
	i[attrHash] = text(k.Hash)
	i.expire(k)
	return i
}

func (i item) expire(k apikey.Key) {
	if !k.ExpiresAt.IsZero() {
		i[attrExpiresAt] = number(k.ExpiresAt.Unix())
	}
}

func (i item) apiKey(hash string) (apikey.Key, error) {
	created, createdErr := i.time(attrCreatedAt)
	expires, expiresErr := i.unix(attrExpiresAt)
	revoked, revokedErr := i.time(attrRevokedAt)
	k := apikey.Key{
		Hash: hash, ID: i.text(attrID), Account: i.text(attrAccountID), Name: i.text(attrName),
		CreatedAt: created, ExpiresAt: expires, RevokedAt: revoked,
	}
	return k, errors.Join(createdErr, expiresErr, revokedErr)
}
