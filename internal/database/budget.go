package database

import (
	"context"
	"time"
)

// Budget is how long a request or an event may take. API Gateway waits for 29 s,
// and a function runs for 28 s.
const Budget = 26 * time.Second

// answerTime is what remains of a caller's own time to answer in.
const answerTime = 500 * time.Millisecond

// WithBudget returns ctx with a deadline after Budget, or shortly before the
// deadline that ctx has.
func WithBudget(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline := time.Now().Add(Budget)
	if d, ok := ctx.Deadline(); ok && d.Add(-answerTime).Before(deadline) {
		deadline = d.Add(-answerTime)
	}
	return context.WithDeadline(ctx, deadline)
}
