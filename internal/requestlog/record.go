package requestlog

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

type recordKey struct{}

// record holds what is noted while a request runs. It is safe for concurrent use.
type record struct {
	began    time.Time
	retries  atomic.Int64
	database atomic.Value // of string

	mu        sync.Mutex
	addresses []string
}

// maxAddresses bounds the addresses in one line.
const maxAddresses = 16

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

// AddAddress notes an address of a target that was not dialled, or did not accept a
// connection. Answers do not show it: it tells what names lead to in this
// deployment's network. AddAddress does nothing without a record in ctx.
func AddAddress(ctx context.Context, address string) {
	r := recordOf(ctx)
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.addresses) < maxAddresses && !slices.Contains(r.addresses, address) {
		r.addresses = append(r.addresses, address)
	}
}

// noted returns the addresses that were added.
func (r *record) noted() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.addresses)
}

// SetDatabase notes the ID of the database that the request is about. It does
// nothing without a record in ctx.
func SetDatabase(ctx context.Context, id string) {
	if r := recordOf(ctx); r != nil {
		r.database.Store(id)
	}
}
