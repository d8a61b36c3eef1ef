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

// state is what a database is to be: none where the name is empty.
type state struct {
	name     string
	password database.Password
}

// operation is a request on a stack, and the states that it leads from and to.
type operation struct {
	name     string
	from, to state
	// do makes the request with a service.
	do func(ctx context.Context, s entry, r request) error
	// done says whether an error of the retry means that the first one had done
	// it.
	done func(error) bool
	// function, method and body are the same request of the real function.
	function, method string
	body             func(r request) map[string]any
	// byEvent says that the request is an event, whose password is in a secret of
	// somebody else's.
	byEvent bool
}

// request is what a request needs to know: the target's payload, and the
// database's ID where it is there already.
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
	never := func(error) bool { return false }
	return []operation{
		{
			name: "create", to: first, do: create, done: never,
			function: "create-database", method: http.MethodPost, body: func(r request) map[string]any { return r.payload },
		},
		{
			name: "update", from: first, to: second, do: update, done: never,
			function: "update-database", method: http.MethodPatch, body: func(request) map[string]any { return change() },
		},
		{
			name: "delete", from: first, do: remove,
			done:     func(err error) bool { return apierror.KindOf(err) == apierror.NotFound },
			function: "delete-database", method: http.MethodDelete, body: func(request) map[string]any { return nil },
		},
		{
			// The password is in the secret that is not ours, and nowhere else.
			name: "provision", to: state{name: firstName}, do: provide, done: never, byEvent: true,
			function: "provision-database", body: func(r request) map[string]any { return r.payload },
		},
	}
}

func payload() map[string]any {
	return map[string]any{
		"name": firstName, "hostname": "db.example.com", "port": 5432, "database": "app", "username": firstUser, "password": firstSecret,
		"replication_slots": []any{map[string]any{"publication_name": "pub", "slot_name": "slot"}},
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
	body, err := json.Marshal(change())
	if err != nil {
		return err
	}
	p, err := database.ParsePatch(body)
	if err != nil {
		return err
	}
	_, err = s.Update(ctx, account, r.id, p, true)
	return err
}

func remove(ctx context.Context, s entry, r request) error {
	_, err := s.Delete(ctx, account, r.id)
	return err
}

// provide delivers the event; that it was rejected is an error here.
func provide(ctx context.Context, s entry, r request) error {
	detail, err := json.Marshal(r.payload)
	if err != nil {
		return err
	}
	answers := &listener{Publisher: s.events.Bus}
	h := *s.events
	h.Bus = answers
	if err := h.Handle(ctx, events.EventBridgeEvent{ID: eventID, Detail: detail}); err != nil {
		return err
	}
	return answers.rejected
}

// listener hears what is put on the bus.
type listener struct {
	provision.Publisher
	rejected error
}

func (l *listener) Put(ctx context.Context, detailType string, detail any) error {
	if r, ok := detail.(provision.Rejected); ok {
		l.rejected = apierror.New(apierror.Invalid, "rejected: "+r.Error.Summary, nil)
	}
	return l.Publisher.Put(ctx, detailType, detail)
}

// again makes the request again. An event whose claim somebody holds would wait
// for that one as long as a request may.
func (o operation) again(ctx context.Context, s *stack, r request) error {
	if o.byEvent {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, retryTime)
		defer cancel()
	}
	return o.do(ctx, s.direct, r)
}

// retry makes the request again, on stores without faults. A claim that the
// first one left is given up after a minute, which is also when Lambda delivers
// an event again.
func (o operation) retry(ctx context.Context, s *stack, r request) error {
	err := o.again(ctx, s, r)
	e, ok := errors.AsType[*apierror.Error](err)
	if ok && e.Code == apierror.RequestInProgress || err != nil && o.byEvent {
		s.ahead.Add(int64(database.ClaimTime + time.Second))
		err = o.again(ctx, s, r)
	}
	if err != nil && !o.done(err) {
		return fmt.Errorf("the retry failed: %w", err)
	}
	return nil
}
