package embedded

import (
	"context"

	bolt "go.etcd.io/bbolt"

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

// Insert keeps d and takes its name, as database.Catalog says.
func (c *Catalog) Insert(ctx context.Context, d database.Database) error {
	return c.store.update(ctx, func(tx *bolt.Tx) error {
		if has(tx, databases, in(d.Account, d.ID)) {
			return nil
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
