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
	// attrScopes is absent from keys made before there were scopes: they have all.
	attrScopes     = "scopes"
	attrLastUsedOn = "last_used_on"
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

// List returns the keys that the account's index names. A key of the index that
// DynamoDB has deleted already, because it expired, is left out.
func (s *Keys) List(ctx context.Context, account string) ([]apikey.Key, error) {
	var keys []apikey.Key
	query := s.indexQuery(account)
	for {
		page, err := s.catalog.queryPage(ctx, query)
		if err != nil {
			return nil, err
		}
		for _, index := range page.Items {
			k, err := s.Find(ctx, item(index).text(attrHash))
			if apierror.KindOf(err) == apierror.NotFound {
				continue
			}
			if err != nil {
				return nil, err
			}
			keys = append(keys, k)
		}
		if query.ExclusiveStartKey = page.LastEvaluatedKey; len(page.LastEvaluatedKey) == 0 {
			return keys, nil
		}
	}
}

func (s *Keys) indexQuery(account string) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName: &s.catalog.table, ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("#pk = :pk"),
		ProjectionExpression:      aws.String("#hash"),
		ExpressionAttributeNames:  map[string]string{"#pk": attrPK, "#hash": attrHash},
		ExpressionAttributeValues: item{":pk": indexKey(account, "")[attrPK]},
	}
}

// RecordUse sets the day, if it is later than the one that is set.
func (s *Keys) RecordUse(ctx context.Context, hash, day string) error {
	err := write(ctx, s.catalog.client.UpdateItem, &dynamodb.UpdateItemInput{
		TableName:                 &s.catalog.table,
		Key:                       hashKey(hash),
		ConditionExpression:       aws.String("attribute_exists(PK) AND (attribute_not_exists(last_used_on) OR last_used_on < :day)"),
		UpdateExpression:          aws.String("SET last_used_on = :day"),
		ExpressionAttributeValues: item{":day": text(day)},
	})
	if err == nil || isConditionFailed(err) {
		return nil
	}
	return awsretry.DomainError(err, fmt.Errorf("record the use of an API key: %w", err), apierror.UnknownOutcome)
}

func keyItem(k apikey.Key) item {
	i := hashKey(k.Hash)
	i[attrScopes] = text(k.Scopes.String())
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
		Scopes: apikey.AllScopes(), CreatedAt: created, ExpiresAt: expires, RevokedAt: revoked, LastUsedOn: i.text(attrLastUsedOn),
	}
	if _, given := i[attrScopes]; given {
		k.Scopes = apikey.ParseScopes(i.text(attrScopes))
	}
	return k, errors.Join(createdErr, expiresErr, revokedErr)
}
