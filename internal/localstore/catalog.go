package localstore

import (
	"bytes"
	"context"
	"errors"

	bolt "go.etcd.io/bbolt"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// Catalog is a database.Catalog in the file.
type Catalog struct{ store *Store }

var _ database.Catalog = (*Catalog)(nil)

// NameOwner is the ID of the account's database called name; the error's kind is
// NotFound where there is none, Unavailable or Internal.
func (c *Catalog) NameOwner(ctx context.Context, account, name string) (string, error) {
	var id string
	err := c.store.view(ctx, func(tx *bolt.Tx) error { return get(tx, names, in(account, name), &id) })
	return id, err
}

// Get is the account's database with that ID; the error's kind is NotFound where
// there is none, Unavailable or Internal.
func (c *Catalog) Get(ctx context.Context, account, id string) (database.Database, error) {
	var d database.Database
	err := c.store.view(ctx, func(tx *bolt.Tx) error { return get(tx, databases, in(account, id), &d) })
	return d, err
}

// List gives at most limit of the account's databases, as database.Catalog says.
func (c *Catalog) List(ctx context.Context, account, after string, limit int) ([]database.Database, error) {
	var found []database.Database
	err := c.store.view(ctx, func(tx *bolt.Tx) error {
		prefix := []byte(in(account, ""))
		first := prefix
		if after != "" {
			first = []byte(in(account, after) + "\x00")
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

// Insert keeps d and takes its name, as database.Catalog says.
func (c *Catalog) Insert(ctx context.Context, d database.Database, claim *database.Claim) error {
	return c.store.update(ctx, func(tx *bolt.Tx) error {
		if has(tx, databases, in(d.Account, d.ID)) {
			return nil
		}
		if claim != nil {
			done, err := recordResult(tx, *claim, d)
			if done || err != nil {
				return err
			}
		}
		if has(tx, names, in(d.Account, d.Name)) {
			return database.ErrNameTaken
		}
		if err := put(tx, databases, in(d.Account, d.ID), d); err != nil {
			return err
		}
		return put(tx, names, in(d.Account, d.Name), d.ID)
	})
}

// Update puts d in the place of old, as database.Catalog says.
func (c *Catalog) Update(ctx context.Context, old, d database.Database) error {
	if d.Change == "" {
		return broken(errors.New("an update that does not name its change"))
	}
	return c.store.update(ctx, func(tx *bolt.Tx) error {
		stands, err := standing(tx, d)
		switch {
		case apierror.KindOf(err) == apierror.NotFound:
			return database.ErrVersionConflict
		case err != nil:
			return err
		case stands.Change == d.Change:
			return nil
		case stands.Version != old.Version:
			return database.ErrVersionConflict
		}
		if d.Name != old.Name {
			if err := rename(tx, old, d); err != nil {
				return err
			}
		}
		return put(tx, databases, in(d.Account, d.ID), d)
	})
}

// rename takes d's name and gives up old's.
func rename(tx *bolt.Tx, old, d database.Database) error {
	if has(tx, names, in(d.Account, d.Name)) {
		return database.ErrNameTaken
	}
	if err := put(tx, names, in(d.Account, d.Name), d.ID); err != nil {
		return err
	}
	return remove(tx, names, in(old.Account, old.Name))
}

// Delete removes d and gives up its name, as database.Catalog says.
func (c *Catalog) Delete(ctx context.Context, d database.Database) error {
	return c.store.update(ctx, func(tx *bolt.Tx) error {
		stands, err := standing(tx, d)
		if err != nil {
			return err
		}
		if stands.Version != d.Version {
			return database.ErrVersionConflict
		}
		if err := remove(tx, databases, in(d.Account, d.ID)); err != nil {
			return err
		}
		return remove(tx, names, in(d.Account, stands.Name))
	})
}

// standing is the database of d's ID as it is now.
func standing(tx *bolt.Tx, d database.Database) (database.Database, error) {
	var stands database.Database
	err := get(tx, databases, in(d.Account, d.ID), &stands)
	return stands, err
}
