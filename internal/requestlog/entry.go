package requestlog

import (
	"context"
	"log/slog"
	"time"

	"github.com/headgate/headgate/internal/check"
)

// The kinds of entries, which are the messages of their lines.
const (
	Request    = "request"    // by HTTP
	Event      = "event"      // from the bus
	Invocation = "invocation" // of a function that no route and no event calls
)

// Entry describes one finished request, event or invocation. It never holds a
// body, a URL or a password. Fields that are empty are left out of the line.
type Entry struct {
	// Kind is Request, Event or Invocation.
	Kind string
	// RequestID is the ID that the caller knows.
	RequestID string
	Operation string
	// Route is the method and the path's pattern, never the path itself.
	Route   string
	Account string
	// KeyID is the ID of the API key that was used, made or revoked.
	KeyID string
	// Status is the HTTP status.
	Status int
	// Outcome is how an event ended.
	Outcome string
	// Code is the code of the error that was returned, Findings are the codes in
	// the report on the target.
	Code     check.Code
	Findings []check.Code
	// Revealed are the IDs of the databases whose passwords are in the response.
	Revealed []string
	// Created says that a database was registered.
	Created bool
	// Err is a failure on this side. It makes the line an error.
	Err error
}

// Write logs e with the record in ctx. Its metrics go to namespace; there are
// none if that is empty.
func (e Entry) Write(ctx context.Context, log *slog.Logger, namespace string) {
	level := slog.LevelInfo
	if e.Err != nil {
		level = slog.LevelError
	}
	attrs := e.attrs(recordOf(ctx))
	if namespace != "" && e.Operation != "" {
		attrs = append(attrs, e.metrics(namespace)...)
	}
	log.LogAttrs(ctx, level, e.Kind, attrs...)
}

func (e Entry) attrs(r *record) []slog.Attr {
	if r == nil {
		r = &record{began: time.Now()}
	}
	database, _ := r.database.Load().(string)
	attrs := []slog.Attr{
		slog.Int64("duration_ms", time.Since(r.began).Milliseconds()),
		slog.Int64("retries", r.retries.Load()),
	}
	if e.Status != 0 {
		attrs = append(attrs, slog.Int("status", e.Status))
	}
	for _, text := range []struct{ name, value string }{
		{"request_id", e.RequestID},
		{"operation", e.Operation},
		{"route", e.Route},
		{"account", e.Account},
		{"key_id", e.KeyID},
		{"database", database},
		{"outcome", e.Outcome},
		{"code", string(e.Code)},
	} {
		if text.value != "" {
			attrs = append(attrs, slog.String(text.name, text.value))
		}
	}
	if len(e.Findings) > 0 {
		attrs = append(attrs, slog.Any("checks", e.Findings))
	}
	if addresses := r.noted(); len(addresses) > 0 {
		attrs = append(attrs, slog.Any("addresses", addresses))
	}
	if len(e.Revealed) > 0 {
		attrs = append(attrs, slog.Any("passwords_shown", e.Revealed))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	return attrs
}
