package localstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	fileMode      fs.FileMode = 0o600
	directoryMode fs.FileMode = 0o700

	// lockPatience is how long the lock on the file is tried for: once.
	lockPatience = time.Nanosecond

	// recoveryTime is how long a secret outlives its deletion.
	recoveryTime = 7 * 24 * time.Hour
)

// The buckets. All keys but those of keys and cursors are an account and what is
// named in it, so accounts do not meet.
const (
	databases = "databases" // account, ID → database
	names     = "names"     // account, name → ID
	secrets   = "secrets"   // account, ID → secret
	keys      = "keys"      // hash → apikey.Key
	keyIDs    = "key_ids"   // account, key's ID → hash
	claims    = "claims"    // account, hash → database.Claim
	cursors   = "cursors"   // account → key for cursors
)

// ErrInUse is the error of Open for a file that another process has open.
var ErrInUse = errors.New("in use by another process")

// Store is the file. It is safe for concurrent use within one process.
type Store struct {
	db  *bolt.DB
	now func() time.Time
}

// Option changes how a Store works.
type Option func(*Store)

// WithClock sets the clock that says when deleted secrets are past restoring, and
// idempotency keys to be forgotten.
func WithClock(now func() time.Time) Option { return func(s *Store) { s.now = now } }

// Open opens the file at path and makes it where there is none, and its directory
// too. The file's mode is 0600 from then on, whatever it was. Where another
// process has the file open the error says so, at once.
//
// Secrets whose deletion is more than seven days ago are removed for good, and so
// are idempotency keys whose time is up.
func Open(path string, options ...Option) (*Store, error) {
	if err := prepare(path); err != nil {
		return nil, err
	}
	db, err := bolt.Open(path, fileMode, &bolt.Options{Timeout: lockPatience})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("open %s: %w", path, ErrInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	s := &Store{db: db, now: time.Now}
	for _, option := range options {
		option(s)
	}
	if err := s.db.Update(s.setUp); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), db.Close())
	}
	return s, nil
}

// prepare makes the file with its mode, or gives it its mode, before anything is
// written to it.
func prepare(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), directoryMode); err != nil {
		return fmt.Errorf("making the directory of %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return fmt.Errorf("opening the data file: %w", err)
	}
	if err := errors.Join(f.Chmod(fileMode), f.Close()); err != nil {
		return fmt.Errorf("setting the mode of %s: %w", path, err)
	}
	return nil
}

func (s *Store) setUp(tx *bolt.Tx) error {
	for _, name := range []string{databases, names, secrets, keys, keyIDs, claims, cursors} {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	return errors.Join(removeExpired(tx, s.now()), removeForgotten(tx, s.now()))
}

// Close closes the file.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("closing the data file: %w", err)
	}
	return nil
}

// Catalog is the databases in the file.
func (s *Store) Catalog() *Catalog { return &Catalog{store: s} }

// Vault is the passwords in the file.
func (s *Store) Vault() *Vault { return &Vault{store: s} }

// Keys is the API keys in the file.
func (s *Store) Keys() *Keys { return &Keys{store: s} }

// view reads. Read's own error comes back as it is.
func (s *Store) view(ctx context.Context, read func(*bolt.Tx) error) error {
	return s.run(ctx, s.db.View, read, apierror.Unavailable)
}

// update changes the file, or leaves it as it was if change has an error, which
// comes back as it is.
func (s *Store) update(ctx context.Context, change func(*bolt.Tx) error) error {
	return s.run(ctx, s.db.Update, change, apierror.UnknownOutcome)
}

func (s *Store) run(ctx context.Context, transact func(func(*bolt.Tx) error) error, do func(*bolt.Tx) error, inDoubt apierror.Kind) error {
	if err := ctx.Err(); err != nil {
		return apierror.New(apierror.Unavailable, "a store is not available for now", err)
	}
	var began bool
	var own error
	err := transact(func(tx *bolt.Tx) error {
		began = true
		own = do(tx)
		return own
	})
	switch {
	case own != nil:
		return own
	case err == nil:
		return nil
	case !began:
		return apierror.New(apierror.Unavailable, "a store is not available for now", err)
	}
	return apierror.New(inDoubt, "the data file could not be written", err)
}

// in is the key of what is named so in an account.
func in(account, name string) string { return account + "\x00" + name }

// get reads what is under key into value. The error is of kind NotFound or
// Internal.
func get(tx *bolt.Tx, bucket, key string, value any) error {
	b := tx.Bucket([]byte(bucket)).Get([]byte(key))
	if b == nil {
		return apierror.New(apierror.NotFound, "not found", nil)
	}
	return decode(bucket, b, value)
}

// decode reads an entry of a bucket into value. The error is of kind Internal.
func decode(bucket string, b []byte, value any) error {
	if err := json.Unmarshal(b, value); err != nil {
		return broken(fmt.Errorf("an entry of %s can't be read: %w", bucket, err))
	}
	return nil
}

func has(tx *bolt.Tx, bucket, key string) bool {
	return tx.Bucket([]byte(bucket)).Get([]byte(key)) != nil
}

// put keeps value under key. The error is of kind Internal.
func put(tx *bolt.Tx, bucket, key string, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return broken(fmt.Errorf("an entry of %s can't be encoded: %w", bucket, err))
	}
	if err := tx.Bucket([]byte(bucket)).Put([]byte(key), b); err != nil {
		return broken(fmt.Errorf("an entry of %s can't be kept: %w", bucket, err))
	}
	return nil
}

// remove removes what is under key, if there is anything. The error is of kind
// Internal.
func remove(tx *bolt.Tx, bucket, key string) error {
	if err := tx.Bucket([]byte(bucket)).Delete([]byte(key)); err != nil {
		return broken(fmt.Errorf("an entry of %s can't be removed: %w", bucket, err))
	}
	return nil
}

func broken(cause error) error {
	return apierror.New(apierror.Internal, "the request could not be completed", cause)
}
