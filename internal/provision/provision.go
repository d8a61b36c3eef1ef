// Package provision registers databases that events on the stack's bus request, and
// puts an event on the bus that answers a request that is refused.
package provision

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/requestlog"
)

// operation is the name of the function, for the log and the metrics.
const operation = "provision-database"

// The outcomes of an event in the log.
const (
	created  = "created"
	rejected = "rejected"
	retry    = "to be repeated"
)

// pollInterval is the pause before another look at a request in progress.
const pollInterval = 500 * time.Millisecond

// Creator is what provisioning needs of the service.
type Creator interface {
	Create(ctx context.Context, account string, p database.Payload, key string) (database.Created, error)
}

// Publisher puts events on a bus.
type Publisher interface {
	Put(ctx context.Context, detailType string, detail any) error
}

// Handler handles the events that request databases.
type Handler struct {
	Service Creator
	Bus     Publisher
	Log     *slog.Logger
	// Namespace is the metrics' namespace in CloudWatch. If it is empty, no metrics
	// are logged.
	Namespace string
}

// Serve returns the handler of the Lambda function.
func Serve(log *slog.Logger, service Creator, bus Publisher) func(context.Context, events.EventBridgeEvent) error {
	return (&Handler{Service: service, Bus: bus, Log: log, Namespace: requestlog.Namespace(lambdacontext.LogGroupName)}).Handle
}

// Handle registers the database that an event requests, puts a refusal on the bus, and
// logs the event, all within [database.Budget]. The event's ID is the
// idempotency key, because delivery is at least once. An error that may pass is
// returned, so that Lambda retries the event and finally moves it to the
// dead-letter queue.
func (h *Handler) Handle(ctx context.Context, e events.EventBridgeEvent) error {
	ctx, cancel := database.WithBudget(requestlog.Start(ctx))
	ctx = database.WithOrigin(ctx, database.Origin{RequestID: e.ID})
	defer cancel()
	entry := requestlog.Entry{Kind: requestlog.Event, RequestID: e.ID, Operation: operation}
	err := h.provision(ctx, e, &entry)
	entry.Err = err
	entry.Write(ctx, h.Log, h.Namespace)
	return err
}

func (h *Handler) provision(ctx context.Context, e events.EventBridgeEvent, entry *requestlog.Entry) error {
	account, payload, err := database.ParseEvent(e.Detail)
	entry.Account = account
	if err == nil {
		err = h.create(ctx, account, payload, e.ID)
	}
	if err == nil {
		entry.Outcome, entry.Created = created, true
		return nil
	}
	refused, _ := errors.AsType[*apierror.Error](err)
	if refused != nil {
		entry.Code, entry.Findings = refused.Code, refused.Checks.Codes()
	}
	if refused == nil || !final(refused) {
		entry.Outcome = retry
		return fmt.Errorf("register the database: %w", err)
	}
	answer := refusal(refused)
	entry.Outcome, entry.Code = rejected, answer.Code
	return h.Bus.Put(ctx, RejectedType, Rejected{e.ID, account, requestedName(e.Detail), answer})
}

// create waits while another delivery of the same event is in progress, so that
// every delivery gets the same answer.
func (h *Handler) create(ctx context.Context, account string, p database.Payload, key string) error {
	for {
		_, err := h.Service.Create(ctx, account, p, key)
		e, ok := errors.AsType[*apierror.Error](err)
		if !ok || e.Code != apierror.RequestInProgress {
			return err
		}
		timer := time.NewTimer(pollInterval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
}

// final reports whether a retry of the same request can only fail again.
func final(e *apierror.Error) bool {
	switch e.Kind {
	case apierror.Malformed:
		return true
	case apierror.Conflict:
		return e.Code == apierror.IdempotencyKeyReused
	case apierror.Invalid:
		return !transient(e.Code)
	}
	return false
}

// transient reports whether a target with this finding may pass a little later,
// without a change on it.
func transient(c check.Code) bool {
	switch c {
	case check.ServerUnavailable, check.TooManyConnections, check.NoWALSenderAvailable, check.ConnectionLost,
		check.SlotCreateBlocked:
		return true
	}
	return false
}
