package localstore

import (
	"context"
	"crypto/rand"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// Claim takes c.Key for c.Owner or returns the existing claim, as
// database.Catalog says.
func (c *Catalog) Claim(ctx context.Context, claim database.Claim) (database.Claim, error) {
	existing := claim
	err := c.store.update(ctx, func(tx *bolt.Tx) error {
		var found database.Claim
		err := get(tx, claims, keyOf(claim.Account, claim.Key), &found)
		switch {
		case err == nil && !lapsed(found, claim.ClaimedAt):
			if found.Owner != claim.Owner || found.Result != nil {
				existing = found
			}
			return nil
		case err != nil && apierror.KindOf(err) != apierror.NotFound:
			return err
		}
		claim.ClaimedAt, claim.Result = claim.ClaimedAt.UTC(), nil
		return put(tx, claims, keyOf(claim.Account, claim.Key), claim)
	})
	if err != nil {
		return database.Claim{}, err
	}
	return existing, nil
}

// lapsed reports whether a claim can be taken by another owner.
func lapsed(c database.Claim, now time.Time) bool {
	age := now.Sub(c.ClaimedAt)
	return age >= database.ReplayTime || c.Result == nil && age > database.ClaimTime
}

// recordResult makes d the claim's result. done means that it already was, so that
// an earlier insert committed. The error is database.ErrClaimLost if the claim is
// no longer held.
func recordResult(tx *bolt.Tx, claim database.Claim, d database.Database) (done bool, err error) {
	var existing database.Claim
	err = get(tx, claims, keyOf(claim.Account, claim.Key), &existing)
	switch {
	case err != nil && apierror.KindOf(err) != apierror.NotFound:
		return false, err
	case err != nil, existing.Owner != claim.Owner:
		return false, database.ErrClaimLost
	case existing.Result != nil && existing.Result.ID == d.ID:
		return true, nil
	case existing.Result != nil:
		return false, database.ErrClaimLost
	}
	existing.Result = &d
	return false, put(tx, claims, keyOf(claim.Account, claim.Key), existing)
}

// Release removes a claim without a result, as database.Catalog says.
func (c *Catalog) Release(ctx context.Context, claim database.Claim) error {
	return c.store.update(ctx, func(tx *bolt.Tx) error {
		var existing database.Claim
		err := get(tx, claims, keyOf(claim.Account, claim.Key), &existing)
		switch {
		case apierror.KindOf(err) == apierror.NotFound:
			return nil
		case err != nil:
			return err
		case existing.Owner != claim.Owner, existing.Result != nil:
			return nil
		}
		return remove(tx, claims, keyOf(claim.Account, claim.Key))
	})
}

// CursorKey returns the account's key for signing cursors, as database.Catalog
// says.
func (c *Catalog) CursorKey(ctx context.Context, account string) ([]byte, error) {
	var key []byte
	read := func(tx *bolt.Tx) error { return get(tx, cursors, account, &key) }
	err := c.store.view(ctx, read)
	if apierror.KindOf(err) != apierror.NotFound {
		return key, err
	}
	err = c.store.update(ctx, func(tx *bolt.Tx) error {
		if err := read(tx); apierror.KindOf(err) != apierror.NotFound {
			return err
		}
		key = make([]byte, database.CursorKeyBytes)
		rand.Read(key) // never fails
		return put(tx, cursors, account, key)
	})
	return key, err
}
