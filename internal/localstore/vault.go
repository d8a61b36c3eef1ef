package localstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// Vault is a database.Vault in the file, with the methods beside that the one on
// Secrets Manager has.
type Vault struct{ store *Store }

var _ database.Vault = (*Vault)(nil)

// retiredVersions is how many versions stay that were current before the previous
// one. Where promotions come late, one of them may be the catalog's.
const retiredVersions = 20

// secret is the passwords of one database. As in Secrets Manager, the versions
// that stay are the current one, those before it, and those not yet promoted.
type secret struct {
	Versions  map[string]passwords `json:"versions"`
	Current   string               `json:"current"`
	Previous  string               `json:"previous,omitempty"`
	Retired   []string             `json:"retired,omitempty"`
	Waiting   []string             `json:"waiting,omitempty"`
	DeletedAt time.Time            `json:"deleted_at,omitzero"`
}

// passwords are database.Passwords in clear.
type passwords struct {
	Main    string `json:"main"`
	Primary string `json:"primary,omitempty"`
}

func reveal(p database.Passwords) passwords {
	return passwords{Main: p.Main.Reveal(), Primary: p.Primary.Reveal()}
}

// Prepare has nothing to do: the file is open.
func (v *Vault) Prepare(context.Context) {}

// Create keeps the first version of d's passwords, whose name is d.ID. The same
// call again counts as done; another one for the same ID is refused. The error's
// kind is Unavailable or Internal.
func (v *Vault) Create(ctx context.Context, d database.Database, p database.Passwords) (string, error) {
	err := v.update(ctx, func(tx *bolt.Tx) error {
		var s secret
		err := get(tx, secrets, in(d.Account, d.ID), &s)
		switch {
		case err == nil:
			return s.same(d.ID, p)
		case apierror.KindOf(err) != apierror.NotFound:
			return err
		}
		s = secret{Versions: map[string]passwords{d.ID: reveal(p)}, Current: d.ID}
		return put(tx, secrets, in(d.Account, d.ID), s)
	})
	if err != nil {
		return "", err
	}
	return d.ID, nil
}

// AddVersion keeps another version of d's passwords, which is not the current
// one until Promote is called with its name, token. The same call again counts
// as done. The error's kind is NotFound where there is no secret, Unavailable
// or Internal.
func (v *Vault) AddVersion(ctx context.Context, d database.Database, p database.Passwords, token string) (string, error) {
	err := v.change(ctx, d.Account, d.ID, func(s *secret) error {
		if _, ok := s.Versions[token]; ok {
			return s.same(token, p)
		}
		s.Versions[token] = reveal(p)
		s.Waiting = append(s.Waiting, token)
		return nil
	})
	if err != nil {
		return "", err
	}
	return token, nil
}

// same is nil where the version holds p, and else the refusal to change it.
func (s *secret) same(version string, p database.Passwords) error {
	if kept, ok := s.Versions[version]; ok && kept == reveal(p) && s.DeletedAt.IsZero() {
		return nil
	}
	return broken(errors.New("the secret or its version exists with other passwords"))
}

// Promote makes that version the current one. One that is the current one counts
// as done. The error's kind is NotFound where there is no such version,
// Unavailable or Internal.
func (v *Vault) Promote(ctx context.Context, account, id, version string) error {
	return v.change(ctx, account, id, func(s *secret) error {
		if _, ok := s.Versions[version]; !ok {
			return notFound()
		}
		if s.Current != version {
			if s.Previous != "" {
				s.Retired = append(s.Retired, s.Previous)
				s.Retired = s.Retired[max(0, len(s.Retired)-retiredVersions):]
			}
			s.Previous, s.Current = s.Current, version
		}
		s.stopWaiting(version)
		return nil
	})
}

// DropVersion lets go of a version that AddVersion kept. One that is not there
// counts as done. The error's kind is Unavailable or Internal.
func (v *Vault) DropVersion(ctx context.Context, account, id, version string) error {
	err := v.change(ctx, account, id, func(s *secret) error {
		s.stopWaiting(version)
		return nil
	})
	if apierror.KindOf(err) == apierror.NotFound {
		return nil
	}
	return err
}

// stopWaiting takes a version off those that wait, and removes the versions that
// nothing holds any more.
func (s *secret) stopWaiting(version string) {
	s.Waiting = slices.DeleteFunc(s.Waiting, func(w string) bool { return w == version })
	for name := range s.Versions {
		held := slices.Concat([]string{s.Current, s.Previous}, s.Retired, s.Waiting)
		if !slices.Contains(held, name) {
			delete(s.Versions, name)
		}
	}
}

// Read is the passwords in that version of a secret; the error's kind is
// NotFound, Unavailable or Internal.
func (v *Vault) Read(ctx context.Context, account, id, version string) (database.Passwords, error) {
	var p database.Passwords
	err := v.store.view(ctx, func(tx *bolt.Tx) (err error) {
		p, err = read(tx, account, id, version)
		return err
	})
	return p, err
}

// ReadAll is the passwords of many databases, as database.Vault says.
func (v *Vault) ReadAll(ctx context.Context, ds []database.Database) ([]database.Passwords, error) {
	all := make([]database.Passwords, len(ds))
	err := v.store.view(ctx, func(tx *bolt.Tx) error {
		for i, d := range ds {
			p, err := read(tx, d.Account, d.ID, d.SecretVersion)
			if err != nil && apierror.KindOf(err) != apierror.NotFound {
				return err
			}
			all[i] = p
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func read(tx *bolt.Tx, account, id, version string) (database.Passwords, error) {
	var s secret
	if err := get(tx, secrets, in(account, id), &s); err != nil {
		return database.Passwords{}, err
	}
	kept, ok := s.Versions[version]
	if !ok || !s.DeletedAt.IsZero() {
		return database.Passwords{}, notFound()
	}
	return database.Passwords{Main: database.Password(kept.Main), Primary: database.Password(kept.Primary)}, nil
}

// Discard removes a secret. One that is not there counts as removed. The error's
// kind is Unavailable or Internal.
func (v *Vault) Discard(ctx context.Context, account, id string) error {
	return v.update(ctx, func(tx *bolt.Tx) error {
		return remove(tx, secrets, in(account, id))
	})
}

// ScheduleDeletion hides a secret, and lets the first Open after seven days
// remove it. One that is hidden already, or not there, counts as done. The
// error's kind is Unavailable or Internal.
func (v *Vault) ScheduleDeletion(ctx context.Context, account, id string) error {
	err := v.change(ctx, account, id, func(s *secret) error {
		s.DeletedAt = v.store.now().UTC()
		return nil
	})
	if apierror.KindOf(err) == apierror.NotFound {
		return nil
	}
	return err
}

// update changes the file. Every call of a vault may be repeated, so one in doubt
// is no worse than one that did not happen.
func (v *Vault) update(ctx context.Context, do func(*bolt.Tx) error) error {
	return v.store.run(ctx, v.store.db.Update, do, apierror.Unavailable)
}

// change changes a secret that is not deleted.
func (v *Vault) change(ctx context.Context, account, id string, do func(*secret) error) error {
	return v.update(ctx, func(tx *bolt.Tx) error {
		var s secret
		if err := get(tx, secrets, in(account, id), &s); err != nil {
			return err
		}
		if !s.DeletedAt.IsZero() {
			return notFound()
		}
		if err := do(&s); err != nil {
			return err
		}
		return put(tx, secrets, in(account, id), s)
	})
}

func notFound() error {
	return apierror.New(apierror.NotFound, "the passwords were not found", nil)
}

// removeExpired removes the secrets that can't be restored any more.
func removeExpired(tx *bolt.Tx, now time.Time) error {
	var expired [][]byte
	bucket := tx.Bucket([]byte(secrets))
	err := bucket.ForEach(func(key, value []byte) error {
		var s secret
		if err := json.Unmarshal(value, &s); err != nil {
			return fmt.Errorf("an entry of %s can't be read: %w", secrets, err)
		}
		if !s.DeletedAt.IsZero() && !now.Before(s.DeletedAt.Add(recoveryTime)) {
			expired = append(expired, slices.Clone(key))
		}
		return nil
	})
	for _, key := range expired {
		err = errors.Join(err, bucket.Delete(key))
	}
	return err
}
