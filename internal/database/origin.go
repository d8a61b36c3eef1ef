package database

import "context"

// Origin says who makes a change. It is stored with the change and published with
// its event.
type Origin struct {
	// RequestID is the ID of the request, or of the event that requested it.
	RequestID string `json:"request_id,omitempty"`
	// KeyID is the ID of the API key, empty where none was used.
	KeyID string `json:"key_id,omitempty"`
}

type originKey struct{}

// WithOrigin returns ctx for the operations that o causes.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// originOf returns the origin in ctx, or the zero Origin.
func originOf(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}
