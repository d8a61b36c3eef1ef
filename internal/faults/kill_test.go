package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/runtimeapi"
)

// errKilled stands for the answer of a function that was killed.
var errKilled = errors.New("killed")

// kill runs the real function, and kills it while the proxy holds the request
// that the cell names.
func (c cell) kill(ctx context.Context, s *stack, r request) error {
	f, err := runtimeapi.Start(ctx, runtimeapi.Config{
		Binary: filepath.Join(binaries, c.operation.function), FunctionName: c.operation.function, Env: s.env(s.proxy.url()),
	})
	if err != nil {
		return err
	}
	defer f.Stop()
	event, err := c.operation.event(r)
	if err != nil {
		return err
	}
	s.broken().arm(c.fault)
	ended := make(chan error, 1)
	go func() {
		result, err := f.Invoke(ctx, event)
		ended <- errors.Join(err, fmt.Errorf("answered: %s", result.Payload))
	}()
	select {
	case <-s.broken().holding():
		f.Kill()
	case err := <-ended:
		return fmt.Errorf("it ended before it was killed: %w", err)
	}
	if err := <-ended; !errors.Is(err, runtimeapi.ErrEnded) {
		return fmt.Errorf("it was not killed: %w", err)
	}
	return nil
}

// event is the request as the gateway hands it on, or as the bus does.
func (o operation) event(r request) ([]byte, error) {
	if o.byEvent {
		detail, err := json.Marshal(o.body(r))
		if err != nil {
			return nil, err
		}
		return json.Marshal(events.EventBridgeEvent{ID: eventID, DetailType: "Postgres Database Requested", Detail: detail})
	}
	const collection = "/api/postgres_databases"
	e := events.APIGatewayProxyRequest{
		Resource: collection, Path: collection, HTTPMethod: o.method,
		Headers: map[string]string{"content-type": "application/json", "idempotency-key": idempotencyKey},
	}
	if r.id != "" {
		e.Resource, e.Path = collection+"/{id_or_name}", collection+"/"+r.id
		e.PathParameters = map[string]string{"id_or_name": r.id}
		delete(e.Headers, "idempotency-key")
	}
	e.RequestContext.RequestID, e.RequestContext.Path = "request", "/v1"+e.Path
	e.RequestContext.Authorizer = map[string]any{"account_id": account}
	if body := o.body(r); body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		e.Body = string(text)
	}
	return json.Marshal(e)
}

// source makes a database that is ready for change data capture and gives the
// payload that registers it.
func source(t *testing.T) map[string]any {
	t.Helper()
	for user, secret := range map[string]string{firstUser: firstSecret, secondUser: secondSecret} {
		execute(t, "postgres", "CREATE ROLE "+user+" LOGIN REPLICATION PASSWORD '"+secret+"'")
	}
	execute(t, "postgres", "CREATE DATABASE app")
	execute(t, "app", "CREATE TABLE t (id int PRIMARY KEY); GRANT SELECT ON t TO "+firstUser+", "+secondUser)
	execute(t, "app", "CREATE PUBLICATION pub FOR TABLE t")
	execute(t, "app", "SELECT pg_create_logical_replication_slot('slot', 'pgoutput')")
	p := payload()
	p["hostname"], p["port"] = "127.0.0.1", postgres.Port()
	return p
}

func execute(t *testing.T, db, sql string) {
	t.Helper()
	if _, err := postgres.Exec(t.Context(), db, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
