package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

// event is the gateway's for a create of a database with a name of its own, from
// those surroundings.
func (s *scene) event(w *surroundings) ([]byte, error) {
	s.creates++
	body, err := json.Marshal(map[string]any{
		"name": "orders-" + strconv.Itoa(s.creates), "hostname": "127.0.0.1", "port": w.postgres.Port(),
		"database": "shop", "username": "cdc", "password": s.password, "ssl": true,
		"replication_slots": []any{map[string]any{"publication_name": "orders_pub", "slot_name": "orders_slot"}},
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(post(string(body)))
}

// post is the gateway's event of a create with that body.
func post(body string) events.APIGatewayProxyRequest {
	e := events.APIGatewayProxyRequest{
		Resource: "/api/postgres_databases", Path: "/api/postgres_databases", HTTPMethod: http.MethodPost,
		Headers: map[string]string{"content-type": "application/json"}, Body: body,
	}
	e.RequestContext.RequestID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
	e.RequestContext.Path = "/v1/api/postgres_databases"
	e.RequestContext.Authorizer = map[string]any{"account_id": account}
	return e
}

// create makes one create by a running function, and gives how long it took.
// One that is not answered 201 is an error: there would be nothing to measure.
func (s *scene) create(ctx context.Context, f *runtimeapi.Function, w *surroundings) (time.Duration, error) {
	event, err := s.event(w)
	if err != nil {
		return 0, fmt.Errorf("making the event of a create: %w", err)
	}
	result, err := f.Invoke(ctx, event)
	if err != nil {
		return 0, err
	}
	if result.FunctionError != nil {
		return 0, fmt.Errorf("a create failed: %w", result.FunctionError)
	}
	var answer events.APIGatewayProxyResponse
	if err := json.Unmarshal(result.Payload, &answer); err != nil {
		return 0, fmt.Errorf("reading the answer of a create: %w", err)
	}
	if answer.StatusCode != http.StatusCreated {
		return 0, fmt.Errorf("a create was answered %d: %s", answer.StatusCode, answer.Body)
	}
	return result.Duration, nil
}

// coldCreate is one create by a function that was started for it.
type coldCreate struct {
	init, request time.Duration
	cpu           time.Duration // from the process's start to its end
	memory        runtimeapi.Memory
	traffic       traffic
}

func (c coldCreate) whole() time.Duration { return c.init + c.request }

func (s *scene) coldCreate(ctx context.Context, program string, w *surroundings) (coldCreate, error) {
	before := w.traffic()
	f, err := s.start(ctx, program, w)
	if err != nil {
		return coldCreate{}, err
	}
	defer f.Stop()
	c := coldCreate{init: f.TimeToFirstNext()}
	if c.request, err = s.create(ctx, f, w); err != nil {
		return c, fmt.Errorf("%s: %w", program, err)
	}
	c.memory = f.Memory()
	c.traffic = w.traffic().minus(before)
	f.Stop()
	c.cpu = f.CPUTime()
	return c, nil
}
