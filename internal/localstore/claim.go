package localstore

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

const cursorKeyBytes = 32

// Claim takes c.Key for c.Owner or gives the claim that stands, as
// database.Catalog says.
func (c *Catalog) Claim(ctx context.Context, claim database.Claim) (database.Claim, error) {
	stands := claim
	err := c.store.update(ctx, func(tx *bolt.Tx) error {
		var found database.Claim
		err := get(tx, claims, in(claim.Account, claim.Key), &found)
		switch {
		case err == nil && !lapsed(found, claim.ClaimedAt):
			if found.Owner != claim.Owner || found.Result != nil {
				stands = found
			}
			return nil
		case err != nil && apierror.KindOf(err) != apierror.NotFound:
			return err
		}
		claim.ClaimedAt, claim.Result = claim.ClaimedAt.UTC(), nil
		return put(tx, claims, in(claim.Account, claim.Key), claim)
	})
	if err != nil {
		return database.Claim{}, err
	}
	return stands, nil
}

// lapsed says whether a claim counts as nobody's at that time.
func lapsed(c database.Claim, now time.Time) bool {
	age := now.Sub(c.ClaimedAt)
	return age >= database.ReplayTime || c.Result == nil && age > database.ClaimTime
}

// recordResult makes d the claim's result. It is done, and with it the insert,
// where d was that before; the error is database.ErrClaimLost where the claim is
// not held any more.
func recordResult(tx *bolt.Tx, claim database.Claim, d database.Database) (done bool, err error) {
	var stands database.Claim
	err = get(tx, claims, in(claim.Account, claim.Key), &stands)
	switch {
	case err != nil && apierror.KindOf(err) != apierror.NotFound:
		return false, err
	case err != nil, stands.Owner != claim.Owner:
		return false, database.ErrClaimLost
	case stands.Result != nil && stands.Result.ID == d.ID:
		return true, nil
	case stands.Result != nil:
		return false, database.ErrClaimLost
	}
	stands.Result = &d
	return false, put(tx, claims, in(claim.Account, claim.Key), stands)
}

// Release gives up a claim without a result, as database.Catalog says.
func (c *Catalog) Release(ctx context.Context, claim database.Claim) error {
	return c.store.update(ctx, func(tx *bolt.Tx) error {
		var stands database.Claim
		err := get(tx, claims, in(claim.Account, claim.Key), &stands)
		switch {
		case apierror.KindOf(err) == apierror.NotFound:
			return nil
		case err != nil:
			return err
		case stands.Owner != claim.Owner, stands.Result != nil:
			return nil
		}
		return remove(tx, claims, in(claim.Account, claim.Key))
	})
}

// removeForgotten removes the claims whose time is up.
func removeForgotten(tx *bolt.Tx, now time.Time) error {
	var forgotten [][]byte
	bucket := tx.Bucket([]byte(claims))
	err := bucket.ForEach(func(key, value []byte) error {
		var c database.Claim
		if err := decode(claims, value, &c); err != nil {
			return err
		}
		if now.Sub(c.ClaimedAt) >= database.ReplayTime {
			forgotten = append(forgotten, slices.Clone(key))
		}
		return nil
	})
	for _, key := range forgotten {
		err = errors.Join(err, bucket.Delete(key))
	}
	return err
}

// CursorKey is the account's key for signing cursors, as database.Catalog says.
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
		key = make([]byte, cursorKeyBytes)
		rand.Read(key) // which never fails
		return put(tx, cursors, account, key)
	})
	return key, err
}
