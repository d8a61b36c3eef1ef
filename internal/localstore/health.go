package localstore

import (
	"bytes"
	"context"
	"iter"

	bolt "go.etcd.io/bbolt"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// Health returns the stored health of a database, as database.Catalog says.
func (c *Catalog) Health(ctx context.Context, account, id string) (database.HealthRecord, error) {
	var r database.HealthRecord
	err := c.store.view(ctx, func(tx *bolt.Tx) error { return get(tx, healths, keyOf(account, id), &r) })
	return r, err
}

// HealthBetween returns the stored health of databases, as database.Catalog says.
func (c *Catalog) HealthBetween(ctx context.Context, account, first, last string) (map[string]database.HealthRecord, error) {
	found := map[string]database.HealthRecord{}
	err := c.store.view(ctx, func(tx *bolt.Tx) error {
		end := []byte(keyOf(account, last))
		cursor := tx.Bucket([]byte(healths)).Cursor()
		for key, value := cursor.Seek([]byte(keyOf(account, first))); key != nil && bytes.Compare(key, end) <= 0; key, value = cursor.Next() {
			var r database.HealthRecord
			if err := decode(healths, value, &r); err != nil {
				return err
			}
			found[r.DatabaseID] = r
		}
		return nil
	})
	return found, err
}

// PutHealth stores r, as database.Catalog says.
func (c *Catalog) PutHealth(ctx context.Context, r database.HealthRecord, previous string) error {
	return c.store.update(ctx, func(tx *bolt.Tx) error {
		key := keyOf(r.Account, r.DatabaseID)
		if !has(tx, databases, key) {
			return apierror.OfStore(apierror.NotFound, nil)
		}
		var existing database.HealthRecord
		if err := get(tx, healths, key, &existing); err != nil && apierror.KindOf(err) != apierror.NotFound {
			return err
		}
		if existing.Change != previous && existing.Change != r.Change {
			return database.ErrVersionConflict
		}
		return put(tx, healths, key, r)
	})
}

// ToCheck returns the databases of a shard, as database.Catalog says.
func (c *Catalog) ToCheck(ctx context.Context, shard int) iter.Seq2[database.Ref, error] {
	return func(yield func(database.Ref, error) bool) {
		var found []database.Ref
		err := c.store.view(ctx, func(tx *bolt.Tx) error {
			return tx.Bucket([]byte(databases)).ForEach(func(_, value []byte) error {
				var d database.Database
				if err := decode(databases, value, &d); err != nil {
					return err
				}
				ref := database.Ref{Account: d.Account, DatabaseID: d.ID}
				if d.Slot.Status == database.SlotActive && ref.Shard() == shard {
					found = append(found, ref)
				}
				return nil
			})
		})
		for _, ref := range found {
			if !yield(ref, nil) {
				return
			}
		}
		if err != nil {
			yield(database.Ref{}, err)
		}
	}
}
