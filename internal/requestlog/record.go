package requestlog

import (
	"context"
	"sync/atomic"
	"time"
)

type recordKey struct{}

// record holds what is noted while a request runs. It is safe for concurrent use.
type record struct {
	began    time.Time
	retries  atomic.Int64
	database atomic.Value // of string
}

// Start returns ctx with the record of a request that begins now.
func Start(ctx context.Context) context.Context {
	return context.WithValue(ctx, recordKey{}, &record{began: time.Now()})
}

// recordOf returns the record in ctx, and nil if there is none.
func recordOf(ctx context.Context) *record {
	r, _ := ctx.Value(recordKey{}).(*record)
	return r
}

// Retried counts one repeated call of a store. It does nothing without a record
// in ctx.
func Retried(ctx context.Context) {
	if r := recordOf(ctx); r != nil {
		r.retries.Add(1)
	}
}

// SetDatabase notes the ID of the database that the request is about. It does
// nothing without a record in ctx.
func SetDatabase(ctx context.Context, id string) {
	if r := recordOf(ctx); r != nil {
		r.database.Store(id)
	}
}
