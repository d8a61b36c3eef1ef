// Package requestlog writes the one line, with its metrics, that a request or an
// event leaves in the log.
package requestlog

import (
	"context"
	"sync/atomic"
)

type retriesKey struct{}

// CountRetries is ctx with a count of the calls to stores that were repeated in
// it, for the log.
func CountRetries(ctx context.Context) context.Context {
	return context.WithValue(ctx, retriesKey{}, new(atomic.Int64))
}

// Retried adds one to the count in ctx, if it has one.
func Retried(ctx context.Context) {
	if n, ok := ctx.Value(retriesKey{}).(*atomic.Int64); ok {
		n.Add(1)
	}
}

// Retries is the count in ctx.
func Retries(ctx context.Context) int64 {
	if n, ok := ctx.Value(retriesKey{}).(*atomic.Int64); ok {
		return n.Load()
	}
	return 0
}
