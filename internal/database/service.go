package database

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/apierror"
)

// cleanupTimeout bounds each removal of what an operation that failed has
// written. An operation stops early enough to leave that time.
const cleanupTimeout = 2 * time.Second

// Service has the operations of the API, for whatever calls them.
type Service struct {
	Catalog Catalog
	Vault   Vault
	Prober  Prober
	Maker   Maker
	// HealthProber, HealthLimits and HealthRefresh are used by CheckHealth only. What is
	// known of a database is stored when it changes, and HealthRefresh after that.
	HealthProber  HealthProber
	HealthLimits  HealthLimits
	HealthRefresh time.Duration
	// References is used only for passwords by reference.
	References References
	// IAM is used only for logins by IAM.
	IAM IAM
	// Now is the clock.
	Now func() time.Time
	// Log gets a line about whatever could not be cleaned up.
	Log *slog.Logger
}

// newID returns a UUID of version 7, so that IDs sort by creation.
func newID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", apierror.New(apierror.Internal, "no ID could be made", err)
	}
	return id.String(), nil
}

// withoutCleanupTime returns ctx with a deadline that leaves the time for a
// clean-up, or for undoing what c says.
func withoutCleanupTime(ctx context.Context, c Creation) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	left := cleanupTimeout
	if c.wanted() {
		left = undoTimeout
	}
	return context.WithDeadline(ctx, deadline.Add(-left))
}

// cleanup calls do, even if ctx has ended. If that fails, it logs what is left.
func (s *Service) cleanup(ctx context.Context, left string, do func(context.Context) error, attrs ...any) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	if err := do(ctx); err != nil {
		s.Log.WarnContext(ctx, left, append(attrs, "error", err)...)
	}
}
