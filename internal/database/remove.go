package database

import (
	"context"
	"errors"
	"fmt"

	"github.com/headgate/headgate/internal/apierror"
)

// Delete removes a database: its name is free at once, and its passwords can be
// restored for 7 days. The target is not touched. It gives the database's ID;
// the error's kind is NotFound, Conflict (it was changed all the while),
// Throttled or Unavailable (it is still there), UnknownOutcome or Internal.
func (s *Service) Delete(ctx context.Context, account, ref string) (string, error) {
	const tries = 5
	for range tries {
		d, err := s.Get(ctx, account, ref)
		if err != nil {
			return "", err
		}
		err = s.Catalog.Delete(ctx, d)
		if errors.Is(err, ErrVersionConflict) {
			continue // it was changed since it was read; it is to go as it is now
		}
		if err != nil {
			return "", fmt.Errorf("removing database %s: %w", d.ID, err)
		}
		// The database is gone. A secret that could not be scheduled belongs to
		// nobody, and the scheduled sweep finds it.
		if err := s.Vault.ScheduleDeletion(ctx, account, d.ID); err != nil {
			s.Log.WarnContext(ctx, "a secret without a database is left", "database", d.ID, "error", err)
		}
		return d.ID, nil
	}
	return "", versionConflict()
}

func versionConflict() *apierror.Error {
	return &apierror.Error{Kind: apierror.Conflict, Code: apierror.VersionConflict, Summary: "the database was changed by another request: read it and try again"}
}
