package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/testkit/gateway"
	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

// event returns the event of a create of a new database over a network. target is the
// path with the query.
func (s *scene) event(n *network, target string) ([]byte, error) {
	s.creates++
	payload := maps.Clone(s.payload)
	number := strconv.Itoa(s.creates)
	payload["name"], payload["port"] = "orders-"+number, n.postgres.Port()
	payload["replication_slots"] = []any{map[string]any{"publication_name": s.source.Publication, "slot_name": s.source.Slot + "_" + number}}
	body, err := json.Marshal(payload)
	if err != nil {
		return nil, err
	}
	_, e, err := gateway.Event(gateway.Request{Account: account, Method: http.MethodPost, Target: target, Body: body})
	if err != nil {
		return nil, err
	}
	return json.Marshal(e)
}

// create sends one create to a running function and returns its duration. A
// response other than 201 is an error.
func (s *scene) create(ctx context.Context, f *runtimeapi.Function, n *network) (time.Duration, error) {
	return s.send(ctx, f, n, gateway.Collection, http.StatusCreated)
}

// dryRun is create without what it keeps.
func (s *scene) dryRun(ctx context.Context, f *runtimeapi.Function, n *network) (time.Duration, error) {
	return s.send(ctx, f, n, gateway.Collection+"?dry_run=true", http.StatusOK)
}

func (s *scene) send(ctx context.Context, f *runtimeapi.Function, n *network, target string, status int) (time.Duration, error) {
	event, err := s.event(n, target)
	if err != nil {
		return 0, fmt.Errorf("encode event of a create: %w", err)
	}
	result, err := f.Invoke(ctx, event)
	if err != nil {
		return 0, err
	}
	if result.FunctionError != nil {
		return 0, fmt.Errorf("create: %w", result.FunctionError)
	}
	var response events.APIGatewayProxyResponse
	if err := json.Unmarshal(result.Payload, &response); err != nil {
		return 0, fmt.Errorf("decode response of a create: %w", err)
	}
	if response.StatusCode != status {
		return 0, fmt.Errorf("create: status %d: %s", response.StatusCode, response.Body)
	}
	return result.Duration, nil
}

// coldCreate is one create by a new process.
type coldCreate struct {
	init, request time.Duration
	cpu           time.Duration // of the whole process
	memory        runtimeapi.Memory
	traffic       traffic
}

func (c coldCreate) total() time.Duration { return c.init + c.request }

func (s *scene) coldCreate(ctx context.Context, program string, n *network) (coldCreate, error) {
	before := n.traffic()
	f, err := s.start(ctx, program, n)
	if err != nil {
		return coldCreate{}, err
	}
	defer f.Stop()
	c := coldCreate{init: f.TimeToFirstNext()}
	if c.request, err = s.create(ctx, f, n); err != nil {
		return c, fmt.Errorf("%s: %w", program, err)
	}
	c.traffic = n.traffic().minus(before)
	f.Stop()
	c.memory, c.cpu = f.Memory(), f.CPUTime()
	return c, nil
}
