package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"golang.org/x/sync/errgroup"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/gateway"
)

// maxDuration limits an invocation: a request's budget, and a second for a busy
// machine. Lambda ends it after 28 seconds.
const maxDuration = database.Budget + time.Second

// TestFaults_Deadline invokes every function that uses the network while
// everything hangs, from one of its requests on.
func TestFaults_Deadline(t *testing.T) {
	t.Parallel()
	payload := source(t)
	var workers errgroup.Group
	workers.SetLimit(4 * maxCells) // they only wait
	for _, h := range hangs() {
		for _, f := range h.faults {
			workers.Go(func() error {
				if err := h.run(t.Context(), payload, f); err != nil {
					t.Errorf("%s, %s %s of %s %d: %v", h.name, f.kind, f.reach, f.operation, f.nth, err)
				}
				return nil
			})
		}
	}
	_ = workers.Wait() // t has the errors
}

// hang is an event and the faults with which its function must respond in time.
type hang struct {
	name string
	// before is the operation whose state the event needs.
	before operation
	event  func(r request) (function string, event []byte, err error)
	faults []fault
}

// maxReads is at least the number of requests that a read makes. If there is no
// such request, the function meets no fault and responds at once.
const maxReads = 4

// hangs returns an event for every function that uses the network.
func hangs() []hang {
	var all []hang
	for _, o := range operations() {
		all = append(all, hang{o.name, o, o.event, o.hangingFaults()})
	}
	stored := operations()[1]
	for _, read := range []struct{ name, method, suffix string }{
		{"get", http.MethodGet, "/" + firstName},
		{"list", http.MethodGet, ""},
		{"test connection", http.MethodPost, "/" + firstName + "/test_connection"},
		{"refresh tables", http.MethodPost, "/" + firstName + "/refresh_tables"},
	} {
		event := func(request) (string, []byte, error) {
			return httpEvent(gateway.Request{Account: account, Method: read.method, Target: gateway.Collection + read.suffix})
		}
		all = append(all, hang{read.name, stored, event, hangingRequests(maxReads)})
	}
	token := events.APIGatewayCustomAuthorizerRequest{
		Type: "TOKEN", AuthorizationToken: "Bearer hg_0000000000000000000000000000000000000000000", MethodArn: "arn:aws:execute-api:r:1:a/v1/GET/x",
	}
	for function, payload := range map[string]any{
		"authorize-request": token,
		"create-api-key":    map[string]string{"account_id": account, "name": "n"},
		"list-api-keys":     map[string]string{"account_id": account},
		"revoke-api-key":    map[string]string{"account_id": account, "id": "0123456789abcdef"},
	} {
		event := func(request) (string, []byte, error) {
			text, err := json.Marshal(payload)
			return function, text, err
		}
		all = append(all, hang{function, stored, event, hangingRequests(1)})
	}
	return all
}

// hangingRequests returns a fault for each of the first requests.
func hangingRequests(requests int) []fault {
	var all []fault
	for n := range requests {
		all = append(all, fault{anyOperation, n + 1, hangsBefore, outage})
	}
	return all
}

// hangingFaults returns faults for each step of the operation, before and after
// its effect, and for each flight to the target.
func (o operation) hangingFaults() []fault {
	var all []fault
	for _, s := range steps(o.name) {
		all = append(all, fault{s.operation, s.nth, hangsBefore, outage}, fault{s.operation, s.nth, hangsAfter, onward})
	}
	if o.name == "delete" {
		return all
	}
	for n := range flights {
		all = append(all, fault{flight, n + 1, hangsBefore, once})
	}
	return all
}

// run fails unless the function responds in time and does not report a defect.
func (h hang) run(ctx context.Context, payload map[string]any, f fault) (err error) {
	s, err := newStack(ctx, f.onTarget())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r, err := (cell{operation: h.before, fault: f}).prepare(ctx, s, payload)
	if err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	name, event, err := h.event(r)
	if err != nil {
		return err
	}
	function, err := s.start(ctx, name)
	if err != nil {
		return err
	}
	defer function.Stop()
	s.faultPoint().arm(f)
	result, err := function.Invoke(ctx, event)
	if err != nil {
		return err
	}
	if result.Duration > maxDuration {
		return fmt.Errorf("the response came after %s", result.Duration)
	}
	var response struct{ StatusCode int }
	if json.Unmarshal(result.Payload, &response) == nil && response.StatusCode == http.StatusInternalServerError {
		return fmt.Errorf("response %s", result.Payload)
	}
	return nil
}
