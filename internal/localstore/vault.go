package localstore

import (
	"context"
	"errors"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// Vault is a database.Vault in the file.
type Vault struct{ store *Store }

var _ database.Vault = (*Vault)(nil)

// maxRetired is how many versions are kept that were current before the previous
// one. If promotions are late, the catalog may name one of them.
const maxRetired = 20

// secret has the passwords of one database. As in Secrets Manager, it keeps the
// current version, those before it, and those that are not promoted yet.
type secret struct {
	Versions  map[string]passwords `json:"versions"`
	Current   string               `json:"current"`
	Previous  string               `json:"previous,omitempty"`
	Retired   []string             `json:"retired,omitempty"`
	Pending   []string             `json:"waiting,omitempty"`
	DeletedAt time.Time            `json:"deleted_at,omitzero"`
}

// passwords is database.Passwords in clear text.
type passwords struct {
	Main    string `json:"main"`
	Primary string `json:"primary,omitempty"`
}

func reveal(p database.Passwords) passwords {
	return passwords{Main: p.Main.Reveal(), Primary: p.Primary.Reveal()}
}

// Prepare does nothing, because the file is open.
func (v *Vault) Prepare(context.Context) {}

// Create stores the first version of d's passwords, which is d.ID. It is idempotent;
// other passwords for the same ID are an error. The error's kind is Unavailable or
// Internal.
func (v *Vault) Create(ctx context.Context, d database.Database, p database.Passwords) (database.SecretVersion, error) {
	err := v.change(ctx, d.Account, d.ID, func(s *secret) error {
		if s.Current == "" {
			s.begin(d.ID, p)
			return nil
		}
		return s.checkSame(d.ID, p)
	})
	return database.SecretVersion{Version: d.ID}, err
}

// AddVersion adds a version named token. The version is not current
// until Promote is called. AddVersion is idempotent. The error's kind is NotFound
// if there is no secret, Unavailable or Internal.
func (v *Vault) AddVersion(ctx context.Context, d database.Database, p database.Passwords, token string) (database.SecretVersion, error) {
	err := v.change(ctx, d.Account, d.ID, func(s *secret) error {
		if !s.usable() {
			return apierror.OfStore(apierror.NotFound, nil)
		}
		return s.add(token, p)
	})
	return database.SecretVersion{Version: token}, err
}

// Recreate stores p as a version named token, in a new secret or in the one that an
// earlier update hid. It is idempotent. The error's kind is Unavailable or Internal.
func (v *Vault) Recreate(ctx context.Context, d database.Database, p database.Passwords, token string) (database.SecretVersion, error) {
	err := v.change(ctx, d.Account, d.ID, func(s *secret) error {
		s.DeletedAt = time.Time{}
		if s.Current == "" {
			s.begin(token, p)
			return nil
		}
		return s.add(token, p)
	})
	return database.SecretVersion{Version: token}, err
}

// Restore shows a hidden secret again. A secret that is not hidden, or does not exist,
// is no error. The error's kind is Unavailable or Internal.
func (v *Vault) Restore(ctx context.Context, account, id string) error {
	return v.change(ctx, account, id, func(s *secret) error {
		s.DeletedAt = time.Time{}
		return nil
	})
}

// usable reports whether the secret exists and is not hidden.
func (s *secret) usable() bool { return s.Current != "" && s.DeletedAt.IsZero() }

// begin makes version the first one.
func (s *secret) begin(version string, p database.Passwords) {
	s.Versions, s.Current = map[string]passwords{version: reveal(p)}, version
}

// add adds a version that is not current, unless it exists with the same passwords.
func (s *secret) add(version string, p database.Passwords) error {
	if _, ok := s.Versions[version]; ok {
		return s.checkSame(version, p)
	}
	s.Versions[version] = reveal(p)
	s.Pending = append(s.Pending, version)
	return nil
}

// checkSame returns an error unless the version holds p.
func (s *secret) checkSame(version string, p database.Passwords) error {
	if kept, ok := s.Versions[version]; ok && kept == reveal(p) && s.DeletedAt.IsZero() {
		return nil
	}
	return broken(errors.New("store passwords: the version exists with other passwords"))
}

// Promote makes a version the current one. It is idempotent. The error's kind is
// NotFound if there is no such version, Unavailable or Internal.
func (v *Vault) Promote(ctx context.Context, account, id, version string) error {
	return v.change(ctx, account, id, func(s *secret) error {
		if _, ok := s.Versions[version]; !ok || !s.usable() {
			return apierror.OfStore(apierror.NotFound, nil)
		}
		if s.Current != version {
			if s.Previous != "" {
				s.Retired = append(s.Retired, s.Previous)
				s.Retired = s.Retired[max(0, len(s.Retired)-maxRetired):]
			}
			s.Previous, s.Current = s.Current, version
		}
		s.endPending(version)
		return nil
	})
}

// DropVersion removes a version that was added and not promoted. A version that
// does not exist is no error. The error's kind is Unavailable or Internal.
func (v *Vault) DropVersion(ctx context.Context, account, id, version string) error {
	return v.change(ctx, account, id, func(s *secret) error {
		if s.usable() {
			s.endPending(version)
		}
		return nil
	})
}

// endPending ends the pending state of a version, and removes the versions that
// have no state left.
func (s *secret) endPending(version string) {
	s.Pending = slices.DeleteFunc(s.Pending, func(p string) bool { return p == version })
	for name := range s.Versions {
		kept := slices.Concat([]string{s.Current, s.Previous}, s.Retired, s.Pending)
		if !slices.Contains(kept, name) {
			delete(s.Versions, name)
		}
	}
}

// Read returns the passwords in a version of a secret. The error's kind is NotFound,
// Unavailable or Internal.
func (v *Vault) Read(ctx context.Context, account, id, version string) (database.Passwords, error) {
	var p database.Passwords
	err := v.store.view(ctx, func(tx *bolt.Tx) (err error) {
		p, err = read(tx, account, id, version)
		return err
	})
	return p, err
}

// ReadAll returns the passwords of ds, as database.Vault says.
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
	if err := get(tx, secrets, keyOf(account, id), &s); err != nil {
		return database.Passwords{}, err
	}
	kept, ok := s.Versions[version]
	if !ok || !s.DeletedAt.IsZero() {
		return database.Passwords{}, apierror.OfStore(apierror.NotFound, nil)
	}
	return database.Passwords{Main: database.Password(kept.Main), Primary: database.Password(kept.Primary)}, nil
}

// Discard removes a secret. A secret that does not exist is no error. The error's
// kind is Unavailable or Internal.
func (v *Vault) Discard(ctx context.Context, account, id string) error {
	return v.update(ctx, func(tx *bolt.Tx) error {
		return remove(tx, secrets, keyOf(account, id))
	})
}

// ScheduleDeletion hides a secret. The first Open after 7 days removes it. A secret
// that is hidden already, or does not exist, is no error. The error's kind is
// Unavailable or Internal.
func (v *Vault) ScheduleDeletion(ctx context.Context, account, id string) error {
	return v.change(ctx, account, id, func(s *secret) error {
		if s.usable() {
			s.DeletedAt = v.store.now().UTC()
		}
		return nil
	})
}

// update changes the file. All calls are idempotent, so an ambiguous outcome is
// safe.
func (v *Vault) update(ctx context.Context, do func(*bolt.Tx) error) error {
	return v.store.run(ctx, v.store.db.Update, do, apierror.Unavailable)
}

// change changes a secret, whose Current is empty if it does not exist yet.
func (v *Vault) change(ctx context.Context, account, id string, do func(*secret) error) error {
	return v.update(ctx, func(tx *bolt.Tx) error {
		var s secret
		if err := get(tx, secrets, keyOf(account, id), &s); err != nil && apierror.KindOf(err) != apierror.NotFound {
			return err
		}
		if err := do(&s); err != nil || s.Current == "" {
			return err
		}
		return put(tx, secrets, keyOf(account, id), s)
	})
}
