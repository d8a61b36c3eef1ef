package localstore

import (
	"context"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/headgate/headgate/internal/apikey"
)

// Keys is an apikey.Store in the file. Expired keys stay in it.
type Keys struct{ store *Store }

var _ apikey.Store = (*Keys)(nil)

// Insert keeps k, as apikey.Store says.
func (s *Keys) Insert(ctx context.Context, k apikey.Key) error {
	return s.store.update(ctx, func(tx *bolt.Tx) error {
		if has(tx, keys, k.Hash) {
			return nil
		}
		if err := put(tx, keys, k.Hash, k); err != nil {
			return err
		}
		return put(tx, keyIDs, in(k.Account, k.ID), k.Hash)
	})
}

// Find is the key with that hash, as apikey.Store says.
func (s *Keys) Find(ctx context.Context, hash string) (apikey.Key, error) {
	var k apikey.Key
	err := s.store.view(ctx, func(tx *bolt.Tx) error { return get(tx, keys, hash, &k) })
	return k, err
}

// Revoke marks a key as revoked, as apikey.Store says.
func (s *Keys) Revoke(ctx context.Context, account, id string, at time.Time) error {
	return s.store.update(ctx, func(tx *bolt.Tx) error {
		var hash string
		if err := get(tx, keyIDs, in(account, id), &hash); err != nil {
			return err
		}
		var k apikey.Key
		if err := get(tx, keys, hash, &k); err != nil {
			return err
		}
		if !k.RevokedAt.IsZero() {
			return nil
		}
		k.RevokedAt = at.UTC()
		return put(tx, keys, hash, k)
	})
}
