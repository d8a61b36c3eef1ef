// Package provision drives the service by EventBridge events instead of requests.
package provision

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/requestlog"
)

// The detail-types of the events that answer.
const (
	CreatedType  = "Postgres Database Created"
	RejectedType = "Postgres Database Rejected"
)

// Creator is what provisioning needs of the service.
type Creator interface {
	Create(ctx context.Context, account string, p database.Payload, key string) (database.Created, error)
}

// Publisher puts the answers on a bus.
type Publisher interface {
	Put(ctx context.Context, detailType string, detail any) error
}

// Created is the detail of the event for a database that was registered.
// RequestID is the ID of the event that asked for it.
type Created struct {
	RequestID string          `json:"request_id"`
	AccountID string          `json:"account_id"`
	Database  database.Object `json:"database"`
}

// Rejected is the detail of the event for a request that was refused.
type Rejected struct {
	RequestID string           `json:"request_id"`
	AccountID string           `json:"account_id"`
	Error     apierror.Refusal `json:"error"`
}

// Handler answers the events that ask for databases.
type Handler struct {
	Service Creator
	Bus     Publisher
	Log     *slog.Logger
}

const (
	// budget is what one event may take, as a request may.
	budget = 26 * time.Second
	// poll is how often a rival with the same event is looked at.
	poll = 500 * time.Millisecond
)

// Handle registers the database that an event asks for and puts the answer on
// the bus. The event's ID is the idempotency key, since delivery is at least
// once. What may pass is returned as an error, so that Lambda tries again and
// keeps the event where that ends.
func (h *Handler) Handle(ctx context.Context, e events.EventBridgeEvent) error {
	ctx, cancel := context.WithTimeout(requestlog.CountRetries(ctx), budget)
	defer cancel()
	began := time.Now()
	account, p, err := database.ParseEvent(e.Detail)
	var made database.Created
	if err == nil {
		made, err = h.create(ctx, account, p, e.ID)
	}
	outcome, answered := "created", error(nil)
	switch {
	case err == nil:
		answered = h.Bus.Put(ctx, CreatedType, Created{e.ID, account, made.Database.Object()})
	case final(err):
		outcome = "rejected"
		refused, _ := errors.AsType[*apierror.Error](err)
		answered = h.Bus.Put(ctx, RejectedType, Rejected{e.ID, account, refusal(refused)})
	default:
		outcome, answered = "to be repeated", fmt.Errorf("the database was not registered yet: %w", err)
	}
	h.log(ctx, e.ID, account, outcome, made.Database.ID, err, answered, began)
	return answered
}

// create waits for a rival with the same event, so that every delivery has the
// same answer.
func (h *Handler) create(ctx context.Context, account string, p database.Payload, key string) (database.Created, error) {
	for {
		made, err := h.Service.Create(ctx, account, p, key)
		e, ok := errors.AsType[*apierror.Error](err)
		if !ok || e.Code != apierror.RequestInProgress {
			return made, err
		}
		timer := time.NewTimer(poll)
		select {
		case <-ctx.Done():
			timer.Stop()
			return made, err
		case <-timer.C:
		}
	}
}

// final tells whether an error is the request's to mend. A target that starts
// up, or that has no room for one session more, is not.
func final(err error) bool {
	e, ok := errors.AsType[*apierror.Error](err)
	if !ok {
		return false
	}
	switch e.Kind {
	case apierror.Malformed:
		return true
	case apierror.Conflict:
		return e.Code == apierror.IdempotencyKeyReused
	case apierror.Invalid:
		switch e.Code {
		case check.ServerUnavailable, check.TooManyConnections, check.NoWALSenderAvailable, check.ConnectionLost:
			return false
		}
		return true
	}
	return false
}

// refusal is the body of a 422, also for what a request is answered otherwise.
func refusal(e *apierror.Error) apierror.Refusal {
	r := e.Refusal()
	if r.Code == "" {
		r.Code = apierror.InvalidPayload
	}
	return r
}

// log leaves the one line that an event has in the log, without its detail.
func (h *Handler) log(ctx context.Context, id, account, outcome, made string, err, answered error, began time.Time) {
	attrs := []slog.Attr{
		slog.String("event", id), slog.String("account", account), slog.String("outcome", outcome),
		slog.Int64("duration_ms", time.Since(began).Milliseconds()), slog.Int64("retries", requestlog.Retries(ctx)),
	}
	if made != "" {
		attrs = append(attrs, slog.String("database", made))
	}
	if e, ok := errors.AsType[*apierror.Error](err); ok && e.Code != "" {
		attrs = append(attrs, slog.String("code", string(e.Code)))
	}
	level := slog.LevelInfo
	if answered != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", answered.Error()))
	}
	h.Log.LogAttrs(ctx, level, "event", attrs...)
}
