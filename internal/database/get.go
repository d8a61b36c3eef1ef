package database

import (
	"context"
	"fmt"
	"strings"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/requestlog"
)

// Get returns the account's database that ref names: by its ID if ref has the
// form of one, by its name otherwise. The error's kind is NotFound, Throttled,
// Unavailable or Internal.
func (s *Service) Get(ctx context.Context, account, ref string) (Database, error) {
	id := strings.ToLower(ref)
	if !IsUUID(ref) {
		if nameRule(ref) != "" {
			return Database{}, apierror.New(apierror.NotFound, apierror.NoDatabase, nil)
		}
		var err error
		if id, err = s.Catalog.NameOwner(ctx, account, ref); err != nil {
			return Database{}, fmt.Errorf("find name %s: %w", ref, err)
		}
	}
	d, err := s.Catalog.Get(ctx, account, id)
	if err != nil {
		return Database{}, fmt.Errorf("read database %s: %w", id, err)
	}
	requestlog.SetDatabase(ctx, d.ID)
	return d, nil
}

// Passwords returns the passwords of d as it was read, which are empty where they are
// by reference. The error's kind is
// NotFound or Unavailable if d was deleted or changed in the meantime,
// Throttled, Unavailable or Internal.
func (s *Service) Passwords(ctx context.Context, d Database) (Passwords, error) {
	if d.SecretVersion == "" {
		return Passwords{}, nil
	}
	p, err := s.Vault.Read(ctx, d.Account, d.ID, d.SecretVersion)
	if apierror.KindOf(err) == apierror.NotFound {
		return Passwords{}, s.explainMissing(ctx, d, err)
	}
	if err != nil {
		return Passwords{}, fmt.Errorf("read passwords of database %s: %w", d.ID, err)
	}
	return p, nil
}

// explainMissing returns the error for passwords that the vault does not have:
// d was deleted or changed since it was read, or, a defect, its secret is lost.
func (s *Service) explainMissing(ctx context.Context, d Database, cause error) error {
	now, err := s.Catalog.Get(ctx, d.Account, d.ID)
	switch {
	case err != nil:
		return fmt.Errorf("read database %s again: %w", d.ID, err)
	case now.SecretVersion != d.SecretVersion:
		return apierror.New(apierror.Unavailable, "the database is being changed: try again", cause)
	}
	return apierror.New(apierror.Internal, "a database's passwords are missing", cause)
}
