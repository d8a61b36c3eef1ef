package database

import (
	"context"
	"fmt"

	"github.com/headgate/headgate/internal/apierror"
)

// Forget deletes the database that a Create with this key registered. If none did,
// it takes the key, so that a Create that is still running can't register one. The
// error's kind is Conflict (request_in_progress: the Create may be running), or one
// of Delete's.
func (s *Service) Forget(ctx context.Context, account, key string) error {
	mine, err := s.newClaim(account, Payload{}, key)
	if err != nil {
		return err
	}
	held, err := s.Catalog.Claim(ctx, mine)
	switch {
	case err != nil:
		return fmt.Errorf("claim idempotency key: %w", err)
	case held.Owner == mine.Owner:
		return nil
	case held.Result == nil:
		return requestInProgress()
	}
	_, err = s.Delete(ctx, account, held.Result.ID, DeleteOptions{})
	if err != nil && apierror.KindOf(err) == apierror.NotFound {
		return nil
	}
	return err
}
