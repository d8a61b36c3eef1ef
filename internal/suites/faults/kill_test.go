package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/testkit/localrun"
	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

// errKilled stands for the answer of a function that was killed.
var errKilled = errors.New("killed")

// kill runs the real function, and kills it while the proxy holds the request
// that the cell names.
func (c cell) kill(ctx context.Context, s *stack, r request) error {
	f, err := s.start(ctx, c.operation.function)
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
	if err := <-ended; !errors.Is(err, localrun.ErrEnded) {
		return fmt.Errorf("it was not killed: %w", err)
	}
	return nil
}

// start starts a function that has its stores behind the proxy.
func (s *stack) start(ctx context.Context, function string) (*runtimeapi.Function, error) {
	return runtimeapi.Start(ctx, runtimeapi.Config{
		Binary: filepath.Join(binaries, function), FunctionName: function, Env: s.env(s.proxy.url()),
	})
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
	return proxied(o.method, r.id, "", o.body(r))
}

// proxied is a request about the database with that ID, or about all.
func proxied(method, id, suffix string, body map[string]any) ([]byte, error) {
	const collection = "/api/postgres_databases"
	e := events.APIGatewayProxyRequest{
		Resource: collection, Path: collection, HTTPMethod: method, Headers: map[string]string{"content-type": "application/json"},
	}
	if id != "" {
		e.Resource, e.Path = collection+"/{id_or_name}"+suffix, collection+"/"+id+suffix
		e.PathParameters = map[string]string{"id_or_name": id}
	} else if method == http.MethodPost {
		e.Headers["idempotency-key"] = idempotencyKey
	}
	e.RequestContext.RequestID, e.RequestContext.Path = "request", "/v1"+e.Path
	e.RequestContext.Authorizer = map[string]any{"account_id": account}
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		e.Body = string(text)
	}
	return json.Marshal(e)
}
