package database

import (
	"context"
	"fmt"
	"iter"
)

// ListOptions says what List returns.
type ListOptions struct {
	// Cursor is a result of Service.Cursor: the list continues after that database.
	// It starts with the first database if Cursor is empty.
	Cursor string
	// BatchSize is how many databases List reads at a time, 1,000 if it is 0.
	BatchSize     int
	WithPasswords bool
	WithHealth    bool
}

// Listed is one database of a list. Its passwords are empty where they were not
// asked for, or where the database was deleted in the meantime.
type Listed struct {
	Database  Database
	Passwords Passwords
	// Health is empty where it was not asked for.
	Health Health
}

// List returns the account's databases in the order of their creation. It reads
// them as the caller iterates, and holds no more than one batch. It ends
// with its first error, whose kind is Invalid (the cursor is not one of this
// account), Throttled, Unavailable or Internal.
func (s *Service) List(ctx context.Context, account string, o ListOptions) iter.Seq2[Listed, error] {
	const defaultBatchSize = 1000
	if o.BatchSize == 0 {
		o.BatchSize = defaultBatchSize
	}
	return func(yield func(Listed, error) bool) {
		after, err := s.openCursor(ctx, account, o.Cursor)
		for err == nil {
			var batch []Listed
			batch, err = s.listBatch(ctx, account, after, o)
			for _, l := range batch {
				if !yield(l, nil) {
					return
				}
				after = l.Database.ID
			}
			if len(batch) < o.BatchSize && err == nil {
				return
			}
		}
		yield(Listed{}, err)
	}
}

func (s *Service) listBatch(ctx context.Context, account, after string, o ListOptions) ([]Listed, error) {
	ds, err := s.Catalog.List(ctx, account, after, o.BatchSize)
	if err != nil {
		return nil, fmt.Errorf("list databases: %w", err)
	}
	passwords := make([]Passwords, len(ds))
	if o.WithPasswords && len(ds) > 0 {
		if passwords, err = s.allPasswords(ctx, ds); err != nil {
			return nil, fmt.Errorf("read passwords of a list: %w", err)
		}
	}
	batch := make([]Listed, len(ds))
	for i, d := range ds {
		batch[i] = Listed{Database: d, Passwords: passwords[i]}
	}
	if !o.WithHealth || len(ds) == 0 {
		return batch, nil
	}
	records, err := s.Catalog.HealthBetween(ctx, account, ds[0].ID, ds[len(ds)-1].ID)
	if err != nil {
		return nil, fmt.Errorf("read health of a list: %w", err)
	}
	for i, d := range ds {
		batch[i].Health = records[d.ID].of(d)
	}
	return batch, nil
}

// allPasswords returns the passwords of ds, in their order. Those by reference are
// empty.
func (s *Service) allPasswords(ctx context.Context, ds []Database) ([]Passwords, error) {
	var stored []Database
	for _, d := range ds {
		if d.SecretVersion != "" {
			stored = append(stored, d)
		}
	}
	all := make([]Passwords, len(ds))
	if len(stored) == 0 {
		return all, nil
	}
	read, err := s.Vault.ReadAll(ctx, stored)
	if err != nil {
		return nil, err
	}
	next := 0
	for i, d := range ds {
		if d.SecretVersion != "" {
			all[i] = read[next]
			next++
		}
	}
	return all, nil
}
