package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/provision"
)

// state is the database that must be stored; an empty name means none.
type state struct {
	name     string
	password database.Password
}

// operation is a request and the states before and after it.
type operation struct {
	name     string
	from, to state
	// do makes the request in this process.
	do func(ctx context.Context, s entry, r request) error
	// alreadyDone reports whether a retry's error means that the first attempt
	// succeeded. nil means never.
	alreadyDone func(error) bool
	// method and body make the same request to the built function.
	method string
	body   func(r request) map[string]any
	// byEvent is true for an event. Its password is in a customer's secret.
	byEvent bool
}

// request has the parameters of a request: the target's payload, and the ID of
// the database if it exists.
type request struct {
	payload map[string]any
	id      string
}

const (
	idempotencyKey = "the-key"
	eventID        = "the-event"
)

func operations() []operation {
	first, second := state{firstName, firstSecret}, state{secondName, secondSecret}
	samePayload := func(r request) map[string]any { return r.payload }
	return []operation{
		{name: "create", to: first, do: create, method: http.MethodPost, body: samePayload},
		{name: "update", from: first, to: second, do: update, method: http.MethodPatch, body: func(request) map[string]any { return change() }},
		{
			name: "delete", from: first, do: remove, method: http.MethodDelete, body: func(request) map[string]any { return nil },
			alreadyDone: func(err error) bool { return apierror.KindOf(err) == apierror.NotFound },
		},
		// The state has no password: it is only in the customer's secret.
		{name: "provision", to: state{name: firstName}, do: provide, body: samePayload, byEvent: true},
	}
}

func change() map[string]any {
	return map[string]any{"name": secondName, "username": secondUser, "password": secondSecret}
}

func create(ctx context.Context, s entry, r request) error {
	return createAs(ctx, s.Service, r.payload, idempotencyKey)
}

func createAs(ctx context.Context, s *database.Service, payload map[string]any, key string) error {
	body, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	p, err := database.ParsePayload(body)
	if err != nil {
		return err
	}
	_, err = s.Create(ctx, account, p, key)
	return err
}

func update(ctx context.Context, s entry, r request) error {
	return updateTo(ctx, s.Service, r.id, change(), true)
}

func updateTo(ctx context.Context, s *database.Service, idOrName string, change map[string]any, verify bool) error {
	body, err := json.Marshal(change)
	if err != nil {
		return err
	}
	p, err := database.ParsePatch(body)
	if err != nil {
		return err
	}
	_, err = s.Update(ctx, account, idOrName, p, verify)
	return err
}

func remove(ctx context.Context, s entry, r request) error {
	_, err := s.Delete(ctx, account, r.id, database.DeleteOptions{})
	return err
}

// provide delivers the event. A rejection is an error here.
func provide(ctx context.Context, s entry, r request) error {
	detail, err := json.Marshal(r.payload)
	if err != nil {
		return err
	}
	publisher := &rejectionRecorder{Publisher: s.events.Bus}
	h := *s.events
	h.Bus = publisher
	if err := h.Handle(ctx, events.EventBridgeEvent{ID: eventID, Detail: detail}); err != nil {
		return err
	}
	return publisher.rejected
}

// rejectionRecorder records a rejection that is put on the bus.
type rejectionRecorder struct {
	provision.Publisher
	rejected error
}

// Put implements provision.Publisher.
func (p *rejectionRecorder) Put(ctx context.Context, detailType string, detail any) error {
	if r, ok := detail.(provision.Rejected); ok {
		p.rejected = apierror.New(apierror.Invalid, "rejected: "+r.Error.Summary, nil)
	}
	return p.Publisher.Put(ctx, detailType, detail)
}

// retry repeats the request without faults. If the first attempt's claim is still
// in force, retry moves the clock to its end, which is also when Lambda delivers
// an event again.
func (o operation) retry(ctx context.Context, s *stack, r request) error {
	err := o.repeat(ctx, s, r)
	e, ok := errors.AsType[*apierror.Error](err)
	if ok && e.Code == apierror.RequestInProgress || err != nil && o.byEvent {
		s.ahead.Add(int64(database.ClaimTime + time.Second))
		err = o.do(ctx, s.direct, r)
	}
	if err == nil || o.alreadyDone != nil && o.alreadyDone(err) {
		return nil
	}
	return fmt.Errorf("the retry failed: %w", err)
}

// repeat makes the request again. It limits the time of an event, which waits
// while a claim is in force.
func (o operation) repeat(ctx context.Context, s *stack, r request) error {
	if o.byEvent {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, eventTimeout)
		defer cancel()
	}
	return o.do(ctx, s.direct, r)
}
