package database

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/headgate/headgate/internal/apierror"
)

// cleanupTime is what a request keeps back of its time, to take away again what
// it could not finish.
const cleanupTime = 2 * time.Second

// Service does what the API promises, whoever calls it.
type Service struct {
	Catalog Catalog
	Vault   Vault
	Prober  Prober
	// References is asked only for passwords that are kept elsewhere.
	References References
	// Now is the clock.
	Now func() time.Time
	// Log is told of what could not be taken back.
	Log *slog.Logger
}

// newID makes a UUID of version 7: the order of IDs is the order of creation.
func newID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", apierror.New(apierror.Internal, "no ID could be made", err)
	}
	return id.String(), nil
}

// reserve is ctx with a deadline that is earlier by d.
func reserve(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-d))
}
