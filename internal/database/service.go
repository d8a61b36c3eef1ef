package database

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
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
		return "", NewError(Internal, "no ID could be made", err)
	}
	return id.String(), nil
}

// refused is the error of a target that failed a check.
func refused(report Report, first Check) *Error {
	summary := fmt.Sprintf("the database can't be used as a source yet: %s", first.Message)
	if n := report.count(Failed); n > 1 {
		summary = fmt.Sprintf("the database can't be used as a source yet, for %d reasons; the first: %s", n, first.Message)
	}
	return &Error{Kind: Invalid, Code: first.Code, Summary: summary, Fields: FieldErrors{}, Checks: report}
}

// reserve is ctx with a deadline that is earlier by d.
func reserve(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-d))
}
