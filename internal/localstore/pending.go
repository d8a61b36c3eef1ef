package localstore

import (
	"bytes"
	"context"

	bolt "go.etcd.io/bbolt"

	"github.com/headgate/headgate/internal/database"
)

func pendingName(claimKey, id string) string { return claimKey + "\x00" + id }

func pendingKey(p database.Pending) string {
	return keyOf(p.Account, pendingName(p.ClaimKey, p.DatabaseID))
}

// AddPending stores p, as database.Catalog says.
func (c *Catalog) AddPending(ctx context.Context, p database.Pending) error {
	return c.store.update(ctx, func(tx *bolt.Tx) error { return put(tx, pending, pendingKey(p), p) })
}

// RemovePending removes p, as database.Catalog says.
func (c *Catalog) RemovePending(ctx context.Context, p database.Pending) error {
	return c.store.update(ctx, func(tx *bolt.Tx) error { return remove(tx, pending, pendingKey(p)) })
}

// completePending removes the pending item of a write, if it has one.
func completePending(tx *bolt.Tx, w database.Writing) error {
	if w.Pending == nil {
		return nil
	}
	if !has(tx, pending, pendingKey(*w.Pending)) {
		return database.ErrPendingGone
	}
	return remove(tx, pending, pendingKey(*w.Pending))
}

// PendingOf returns the pending items of a claim's key, as database.Catalog says.
func (c *Catalog) PendingOf(ctx context.Context, account, claimKey string) ([]database.Pending, error) {
	return c.pendingWith(ctx, keyOf(account, pendingName(claimKey, "")))
}

// AllPending returns all pending items.
func (c *Catalog) AllPending(ctx context.Context) ([]database.Pending, error) {
	return c.pendingWith(ctx, "")
}

func (c *Catalog) pendingWith(ctx context.Context, prefix string) ([]database.Pending, error) {
	var found []database.Pending
	err := c.store.view(ctx, func(tx *bolt.Tx) error {
		cursor := tx.Bucket([]byte(pending)).Cursor()
		for key, value := cursor.Seek([]byte(prefix)); key != nil && bytes.HasPrefix(key, []byte(prefix)); key, value = cursor.Next() {
			var p database.Pending
			if err := decode(pending, value, &p); err != nil {
				return err
			}
			found = append(found, p)
		}
		return nil
	})
	return found, err
}
