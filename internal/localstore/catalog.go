package localstore

import (
	"bytes"
	"context"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// Catalog is a database.Catalog in the file.
type Catalog struct{ store *Store }

var _ database.Catalog = (*Catalog)(nil)

// NameOwner returns the ID of the account's database with that name. The error's
// kind is NotFound, Unavailable or Internal.
func (c *Catalog) NameOwner(ctx context.Context, account, name string) (string, error) {
	var id string
	err := c.store.view(ctx, func(tx *bolt.Tx) error { return get(tx, names, keyOf(account, name), &id) })
	return id, err
}

// Get returns the account's database with that ID. The error's kind is NotFound,
// Unavailable or Internal.
func (c *Catalog) Get(ctx context.Context, account, id string) (database.Database, error) {
	var d database.Database
	err := c.store.view(ctx, func(tx *bolt.Tx) error { return get(tx, databases, keyOf(account, id), &d) })
	return d, err
}

// List returns up to limit of the account's databases, as database.Catalog says.
func (c *Catalog) List(ctx context.Context, account, after string, limit int) ([]database.Database, error) {
	var found []database.Database
	err := c.store.view(ctx, func(tx *bolt.Tx) error {
		prefix := []byte(keyOf(account, ""))
		first := prefix
		if after != "" {
			first = []byte(keyOf(account, after) + "\x00")
		}
		cursor := tx.Bucket([]byte(databases)).Cursor()
		for key, value := cursor.Seek(first); len(found) < limit && bytes.HasPrefix(key, prefix); key, value = cursor.Next() {
			var d database.Database
			if err := decode(databases, value, &d); err != nil {
				return err
			}
			found = append(found, d)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Insert stores d and takes its name, as database.Catalog says.
func (c *Catalog) Insert(ctx context.Context, d database.Database, claim *database.Claim, options ...database.WriteOption) error {
	w := database.NewWriting(options)
	return c.store.update(ctx, func(tx *bolt.Tx) error {
		if has(tx, databases, keyOf(d.Account, d.ID)) {
			return nil
		}
		if claim != nil {
			done, err := recordResult(tx, *claim, d)
			if done || err != nil {
				return err
			}
		}
		if has(tx, names, keyOf(d.Account, d.Name)) {
			return database.ErrNameTaken
		}
		if err := completePending(tx, w); err != nil {
			return err
		}
		if err := moveSlots(tx, database.Database{}, d, w); err != nil {
			return err
		}
		if err := putDatabase(tx, d); err != nil {
			return err
		}
		return put(tx, names, keyOf(d.Account, d.Name), d.ID)
	})
}

func putDatabase(tx *bolt.Tx, d database.Database) error {
	d.Created = nil // only a result has it
	return put(tx, databases, keyOf(d.Account, d.ID), d)
}

// Update replaces old with d, as database.Catalog says.
func (c *Catalog) Update(ctx context.Context, old, d database.Database, options ...database.WriteOption) error {
	if d.Change == "" {
		return broken(fmt.Errorf("update database %s: no change ID", d.ID))
	}
	w := database.NewWriting(options)
	return c.store.update(ctx, func(tx *bolt.Tx) error {
		existing, err := existingDatabase(tx, d)
		switch {
		case apierror.KindOf(err) == apierror.NotFound:
			return database.ErrVersionConflict
		case err != nil:
			return err
		case existing.Change == d.Change:
			return nil
		case existing.Version != old.Version:
			return database.ErrVersionConflict
		}
		if d.Name != old.Name {
			if err := rename(tx, old, d); err != nil {
				return err
			}
		}
		if err := completePending(tx, w); err != nil {
			return err
		}
		if err := moveSlots(tx, old, d, w); err != nil {
			return err
		}
		return putDatabase(tx, d)
	})
}

// rename takes d's name and releases old's.
func rename(tx *bolt.Tx, old, d database.Database) error {
	if has(tx, names, keyOf(d.Account, d.Name)) {
		return database.ErrNameTaken
	}
	if err := put(tx, names, keyOf(d.Account, d.Name), d.ID); err != nil {
		return err
	}
	return remove(tx, names, keyOf(old.Account, old.Name))
}

// Delete removes d and its name, as database.Catalog says.
func (c *Catalog) Delete(ctx context.Context, d database.Database) error {
	return c.store.update(ctx, func(tx *bolt.Tx) error {
		existing, err := existingDatabase(tx, d)
		if err != nil {
			return err
		}
		if existing.Version != d.Version {
			return database.ErrVersionConflict
		}
		if err := remove(tx, databases, keyOf(d.Account, d.ID)); err != nil {
			return err
		}
		if err := remove(tx, healths, keyOf(d.Account, d.ID)); err != nil {
			return err
		}
		if err := moveSlots(tx, d, database.Database{}, database.Writing{}); err != nil {
			return err
		}
		return remove(tx, names, keyOf(d.Account, existing.Name))
	})
}

// existingDatabase returns the stored database with d's ID.
func existingDatabase(tx *bolt.Tx, d database.Database) (database.Database, error) {
	var existing database.Database
	err := get(tx, databases, keyOf(d.Account, d.ID), &existing)
	return existing, err
}
