package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/headgate/headgate/internal/database"
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
	do func(ctx context.Context, s *database.Service, r request) error
	// done says whether an error of the retry means that the first one had done
	// it.
	done func(error) bool
	// function, method and body are the same request of the real function.
	function, method string
	body             func(r request) map[string]any
}

// request is what a request needs to know: the target's payload, and the
// database's ID where it is there already.
type request struct {
	payload map[string]any
	id      string
}

const idempotencyKey = "the-key"

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
			done:     func(err error) bool { return database.KindOf(err) == database.NotFound },
			function: "delete-database", method: http.MethodDelete, body: func(request) map[string]any { return nil },
		},
	}
}

func payload() map[string]any {
	return map[string]any{
		"name": firstName, "hostname": "db.example.com", "port": 5432, "database": "app", "username": "cdc", "password": firstSecret,
		"replication_slots": []any{map[string]any{"publication_name": "pub", "slot_name": "slot"}},
	}
}

func change() map[string]any { return map[string]any{"name": secondName, "password": secondSecret} }

func create(ctx context.Context, s *database.Service, r request) error {
	return createAs(ctx, s, r.payload, idempotencyKey)
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

func update(ctx context.Context, s *database.Service, r request) error {
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

func remove(ctx context.Context, s *database.Service, r request) error {
	_, err := s.Delete(ctx, account, r.id)
	return err
}

// retry makes the request again, on stores without faults. A claim that the
// first one left is given up after a minute.
func (o operation) retry(ctx context.Context, s *stack, r request) error {
	err := o.do(ctx, s.direct, r)
	if e, ok := errors.AsType[*database.Error](err); ok && e.Code == database.RequestInProgress {
		s.ahead.Add(int64(database.ClaimTime + time.Second))
		err = o.do(ctx, s.direct, r)
	}
	if err != nil && !o.done(err) {
		return fmt.Errorf("the retry failed: %w", err)
	}
	return nil
}
