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

// The attributes of API keys. expires_at is the table's TTL attribute, in Unix
// seconds. DynamoDB may take days to delete an expired item.
const (
	attrHash      = "hash"
	attrID        = "id"
	attrAccountID = "account_id"
	attrName      = "name"
	attrExpiresAt = "expires_at"
	attrRevokedAt = "revoked_at"
)

// maxTokenLength is the limit of a ClientRequestToken.
const maxTokenLength = 36

// Keys is an apikey.Store on the catalog's table. It is safe for concurrent use.
type Keys struct{ catalog *Catalog }

var _ apikey.Store = (*Keys)(nil)

func hashKey(hash string) item { return key("key#"+hash, "key") }

func indexKey(account, id string) item { return key("keys#"+account, "key#"+id) }

// Insert stores k under its hash, and the hash under its account and ID, in one
// transaction.
func (s *Keys) Insert(ctx context.Context, k apikey.Key) error {
	err := s.catalog.transact(ctx, k.Hash[:min(len(k.Hash), maxTokenLength)],
		s.catalog.put(keyItem(k)), s.catalog.put(indexItem(k)))
	if _, exists := failedConditions(err)[0]; err == nil || exists {
		// Only an earlier attempt can have stored a key with that hash.
		return nil
	}
	return awsretry.DomainError(err, fmt.Errorf("insert API key %s: %w", k.ID, err), apierror.UnknownOutcome)
}

// Find returns the key with that hash.
func (s *Keys) Find(ctx context.Context, hash string) (apikey.Key, error) {
	stored, err := s.catalog.get(ctx, hashKey(hash))
	if err != nil {
		return apikey.Key{}, err
	}
	k, err := stored.apiKey(hash)
	if err != nil {
		return apikey.Key{}, broken(fmt.Errorf("read API key: %w", err))
	}
	return k, nil
}

// Revoke marks the key as revoked, unless it is already.
func (s *Keys) Revoke(ctx context.Context, account, id string, at time.Time) error {
	index, err := s.catalog.get(ctx, indexKey(account, id))
	if err != nil {
		return err
	}
	err = write(ctx, s.catalog.client.UpdateItem, s.revocation(account, index.text(attrHash), at))
	if err == nil {
		return nil
	}
	cause := fmt.Errorf("revoke API key %s: %w", id, err)
	if isConditionFailed(err) {
		// DynamoDB has deleted the expired key, but not its index yet.
		return apierror.OfStore(apierror.NotFound, cause)
	}
	return awsretry.DomainError(err, cause, apierror.UnknownOutcome)
}

// revocation is idempotent: it keeps the time of an earlier revocation.
func (s *Keys) revocation(account, hash string, at time.Time) *dynamodb.UpdateItemInput {
	return &dynamodb.UpdateItemInput{
		TableName:           &s.catalog.table,
		Key:                 hashKey(hash),
		ConditionExpression: aws.String("attribute_exists(PK) AND account_id = :account"),
		UpdateExpression:    aws.String("SET revoked_at = if_not_exists(revoked_at, :at)"),
		ExpressionAttributeValues: item{
			":account": text(account), ":at": timestamp(at),
		},
	}
}

func keyItem(k apikey.Key) item {
	i := hashKey(k.Hash)
	i[attrAccountID] = text(k.Account)
	i[attrID] = text(k.ID)
	i[attrName] = text(k.Name)
	i[attrCreatedAt] = timestamp(k.CreatedAt)
	i.expire(k)
	if !k.RevokedAt.IsZero() {
		i[attrRevokedAt] = timestamp(k.RevokedAt)
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
