package localstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	fileMode      fs.FileMode = 0o600
	directoryMode fs.FileMode = 0o700

	// lockTimeout makes one attempt to lock the file; 0 would wait forever.
	lockTimeout = time.Nanosecond

	// recoveryWindow is how long a deleted secret stays in the file.
	recoveryWindow = 7 * 24 * time.Hour
)

// The buckets. All keys except those of cursors and slots begin with an account; see
// keyOf.
const (
	databases = "databases" // account, ID → database
	names     = "names"     // account, name → ID
	secrets   = "secrets"   // account, ID → secret
	claims    = "claims"    // account, hash → database.Claim
	cursors   = "cursors"   // account → key for signing cursors
	healths   = "healths"   // account, ID → database.HealthRecord
	slots     = "slots"     // database.Database.SlotKey or PublicationKey → slot
	pending   = "pending"   // account, hash, ID → database.Pending
)

// ErrInUse is the error of Open for a file that another process has open.
var ErrInUse = errors.New("in use by another process")

// Store is an open file. It is safe for concurrent use.
type Store struct {
	db  *bolt.DB
	now func() time.Time
}

// Option configures a Store.
type Option func(*Store)

// WithClock replaces the clock by which deleted secrets and idempotency keys
// expire.
func WithClock(now func() time.Time) Option { return func(s *Store) { s.now = now } }

// Open opens the file at path, with mode 0600, and creates it and its directory if
// they do not exist. It does not wait for another process: the error is then
// ErrInUse. Open removes secrets that were deleted more than 7 days ago, and
// expired idempotency keys.
func Open(path string, options ...Option) (*Store, error) {
	if err := prepare(path); err != nil {
		return nil, err
	}
	db, err := bolt.Open(path, fileMode, &bolt.Options{Timeout: lockTimeout})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("open %s: %w", path, ErrInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	s := &Store{db: db, now: time.Now}
	for _, option := range options {
		option(s)
	}
	if err := s.db.Update(s.setUp); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return s, nil
}

// prepare creates the file or sets its mode, before anything is written to it.
func prepare(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), directoryMode); err != nil {
		return fmt.Errorf("create directory of %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return fmt.Errorf("open data file: %w", err)
	}
	if err := errors.Join(f.Chmod(fileMode), f.Close()); err != nil {
		return fmt.Errorf("set mode of %s: %w", path, err)
	}
	return nil
}

func (s *Store) setUp(tx *bolt.Tx) error {
	for _, name := range []string{databases, names, secrets, claims, cursors, healths, slots, pending} {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	now := s.now()
	return errors.Join(
		removeWhere(tx, secrets, func(s secret) bool {
			return !s.DeletedAt.IsZero() && !now.Before(s.DeletedAt.Add(recoveryWindow))
		}),
		removeWhere(tx, claims, func(c database.Claim) bool { return now.Sub(c.ClaimedAt) >= database.ReplayTime }),
	)
}

// Close closes the file.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close data file: %w", err)
	}
	return nil
}

// Catalog returns the databases in the file.
func (s *Store) Catalog() *Catalog { return &Catalog{store: s} }

// Vault returns the passwords in the file.
func (s *Store) Vault() *Vault { return &Vault{store: s} }

// view runs read in a read-only transaction. An error of read is returned as it is.
func (s *Store) view(ctx context.Context, read func(*bolt.Tx) error) error {
	return s.run(ctx, s.db.View, read, apierror.Unavailable)
}

// update runs change in a transaction and commits it, unless change returns an
// error, which is returned as it is.
func (s *Store) update(ctx context.Context, change func(*bolt.Tx) error) error {
	return s.run(ctx, s.db.Update, change, apierror.UnknownOutcome)
}

func (s *Store) run(ctx context.Context, transact func(func(*bolt.Tx) error) error, do func(*bolt.Tx) error, ambiguous apierror.Kind) error {
	if err := ctx.Err(); err != nil {
		return apierror.OfStore(apierror.Unavailable, err)
	}
	var began bool
	var doErr error
	err := transact(func(tx *bolt.Tx) error {
		began = true
		doErr = do(tx)
		return doErr
	})
	switch {
	case doErr != nil:
		return doErr
	case err == nil:
		return nil
	case !began:
		return apierror.OfStore(apierror.Unavailable, err)
	}
	return apierror.OfStore(ambiguous, fmt.Errorf("write data file: %w", err))
}

// keyOf returns the key of an entry of an account.
func keyOf(account, name string) string { return account + "\x00" + name }

// get reads the entry into value. The error's kind is NotFound or Internal.
func get(tx *bolt.Tx, bucket, key string, value any) error {
	b := tx.Bucket([]byte(bucket)).Get([]byte(key))
	if b == nil {
		return apierror.OfStore(apierror.NotFound, nil)
	}
	return decode(bucket, b, value)
}

// decode reads the text of an entry into value. The error's kind is Internal.
func decode(bucket string, b []byte, value any) error {
	if err := json.Unmarshal(b, value); err != nil {
		return broken(fmt.Errorf("decode entry of %s: %w", bucket, err))
	}
	return nil
}

func has(tx *bolt.Tx, bucket, key string) bool {
	return tx.Bucket([]byte(bucket)).Get([]byte(key)) != nil
}

// put stores an entry. The error's kind is Internal.
func put(tx *bolt.Tx, bucket, key string, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return broken(fmt.Errorf("encode entry of %s: %w", bucket, err))
	}
	if err := tx.Bucket([]byte(bucket)).Put([]byte(key), b); err != nil {
		return broken(fmt.Errorf("store entry of %s: %w", bucket, err))
	}
	return nil
}

// remove removes an entry, if it exists. The error's kind is Internal.
func remove(tx *bolt.Tx, bucket, key string) error {
	if err := tx.Bucket([]byte(bucket)).Delete([]byte(key)); err != nil {
		return broken(fmt.Errorf("remove entry of %s: %w", bucket, err))
	}
	return nil
}

// removeWhere removes the entries of a bucket that have expired.
func removeWhere[T any](tx *bolt.Tx, bucket string, expired func(T) bool) error {
	var keys [][]byte
	b := tx.Bucket([]byte(bucket))
	err := b.ForEach(func(key, stored []byte) error {
		var value T
		if err := decode(bucket, stored, &value); err != nil {
			return err
		}
		if expired(value) {
			keys = append(keys, slices.Clone(key))
		}
		return nil
	})
	for _, key := range keys { // ForEach allows no changes
		err = errors.Join(err, b.Delete(key))
	}
	return err
}

func broken(cause error) error { return apierror.OfStore(apierror.Internal, cause) }
