package database

import (
	"context"
	"errors"
	"fmt"
)

// Delete removes the database that ref names and returns its ID. The name is
// free at once, and the passwords can be restored for 7 days. The target is not
// touched. The error's kind is NotFound, Conflict (other requests kept changing
// the database), Throttled or Unavailable (nothing was removed), UnknownOutcome
// or Internal.
func (s *Service) Delete(ctx context.Context, account, ref string) (id string, err error) {
	const maxAttempts = 5
	for range maxAttempts {
		d, err := s.Get(ctx, account, ref)
		if err != nil {
			return "", err
		}
		if d.Change, err = newID(); err != nil {
			return "", err
		}
		d.ChangedBy, d.UpdatedAt = originOf(ctx), s.Now().UTC()
		err = s.Catalog.Delete(ctx, d)
		if errors.Is(err, ErrVersionConflict) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("delete database %s: %w", d.ID, err)
		}
		if d.SecretVersion == "" {
			return d.ID, nil
		}
		// From here on the delete has succeeded. The sweep finds the secret if it
		// could not be scheduled.
		if err := s.Vault.ScheduleDeletion(ctx, account, d.ID); err != nil {
			s.Log.WarnContext(ctx, secretLeft, "database", d.ID, "error", err)
		}
		return d.ID, nil
	}
	return "", versionConflict()
}
