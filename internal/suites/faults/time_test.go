package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/headgate/headgate/internal/database"
)

// mostTime is what an invocation may take, the machine's own slowness included:
// a request's budget and a second. Lambda would end it after 28.
const mostTime = database.Budget + time.Second

// TestAnAnswerIsThereWithin26SecondsWhateverHangs runs every function that waits
// for a network, with everything hanging from one of its requests on.
func TestAnAnswerIsThereWithin26SecondsWhateverHangs(t *testing.T) {
	t.Parallel()
	payload := source(t)
	var all sync.WaitGroup
	defer all.Wait()
	places := make(chan struct{}, 4*width)
	for _, h := range hanging() {
		for _, f := range h.faults {
			all.Go(func() {
				places <- struct{}{}
				defer func() { <-places }()
				if err := h.answers(t.Context(), payload, f); err != nil {
					t.Errorf("%s, %s %s of %s %d: %v", h.function, f.kind, f.reach, f.operation, f.nth, err)
				}
			})
		}
	}
}

// hang is a function, an event for it, and the faults that it has to live with.
type hang struct {
	function string
	prepared operation // what there must be before
	event    func(s *stack, r request) ([]byte, error)
	faults   []fault
}

// hanging are all functions that wait for a network. Reads make fewer than so
// many requests; one that does not come is no fault, and the answer is quick.
func hanging() []hang {
	const reads = 4
	var all []hang
	for _, o := range operations() {
		all = append(all, hang{o.function, o, func(_ *stack, r request) ([]byte, error) { return o.event(r) }, o.hangs()})
	}
	kept := operations()[1]
	for _, f := range []struct{ function, method, suffix string }{
		{"get-database", http.MethodGet, ""},
		{"test-database", http.MethodPost, "/test_connection"},
		{"refresh-tables", http.MethodPost, "/refresh_tables"},
	} {
		event := func(_ *stack, r request) ([]byte, error) { return proxied(f.method, r.id, f.suffix, nil) }
		all = append(all, hang{f.function, kept, event, anyHang(reads)})
	}
	plain := func(e any) func(*stack, request) ([]byte, error) {
		return func(*stack, request) ([]byte, error) { return json.Marshal(e) }
	}
	token := events.APIGatewayCustomAuthorizerRequest{
		Type: "TOKEN", AuthorizationToken: "Bearer hg_0000000000000000000000000000000000000000000", MethodArn: "arn:aws:execute-api:r:1:a/v1/GET/x",
	}
	return append(all,
		hang{"list-databases", kept, func(*stack, request) ([]byte, error) { return proxied(http.MethodGet, "", "", nil) }, anyHang(reads)},
		hang{"authorize-request", kept, plain(token), anyHang(1)},
		hang{"create-api-key", kept, plain(map[string]string{"account_id": account, "name": "n"}), anyHang(1)},
		hang{"revoke-api-key", kept, plain(map[string]string{"account_id": account, "id": "0123456789abcdef"}), anyHang(1)})
}

func anyHang(requests int) []fault {
	var all []fault
	for n := range requests {
		all = append(all, fault{anyOperation, n + 1, hangs, outage})
	}
	return all
}

// hangs are the hanging stores at each step, after the step's effect too, and the
// hanging target at each flight.
func (o operation) hangs() []fault {
	var all []fault
	for _, s := range steps(o.name) {
		all = append(all, fault{s.operation, s.nth, hangs, outage}, fault{s.operation, s.nth, hangsAfter, onward})
	}
	if o.name == "delete" {
		return all
	}
	for n := range flights {
		all = append(all, fault{onTarget, n + 1, hangs, once})
	}
	return all
}

// answers fails unless the function answers in time.
func (h hang) answers(ctx context.Context, payload map[string]any, f fault) (err error) {
	s, err := newStack(ctx, f.flight())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r, err := (cell{operation: h.prepared, fault: f}).prepare(ctx, s, payload)
	if err != nil {
		return fmt.Errorf("preparing: %w", err)
	}
	event, err := h.event(s, r)
	if err != nil {
		return err
	}
	function, err := s.start(ctx, h.function)
	if err != nil {
		return err
	}
	defer function.Stop()
	s.broken().arm(f)
	result, err := function.Invoke(ctx, event)
	if err != nil {
		return err
	}
	if result.Duration > mostTime {
		return fmt.Errorf("answered after %s", result.Duration)
	}
	var answer struct{ StatusCode int }
	if json.Unmarshal(result.Payload, &answer) == nil && answer.StatusCode == http.StatusInternalServerError {
		return fmt.Errorf("answered %s", result.Payload)
	}
	return nil
}
