package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/deployment"
	"github.com/headgate/headgate/internal/testkit/gateway"
	"github.com/headgate/headgate/internal/testkit/localrun"
)

// making is a request that makes or drops a slot and its publication on the target.
type making struct {
	name   string
	method string
	query  string
	// steps are the requests to AWS at which the function is killed.
	steps []step
	// from says what exists before: a database with the made slot, one with another slot,
	// or none.
	from string
	// byReference says that the password is in a customer's secret: there is none of ours.
	byReference bool
}

const (
	withMade  = "with the slot"
	withOther = "with another slot"
)

func makings() []making {
	return []making{
		{name: "create", method: http.MethodPost, steps: []step{
			{"PutItem", 1, true}, {"Query", 1, false}, {"GetItem", 1, false}, {"CreateSecret", 1, true}, {"PutItem", 2, true}, {"TransactWriteItems", 1, true},
		}},
		{name: "create by reference", method: http.MethodPost, byReference: true, steps: []step{
			{"PutItem", 1, true}, {"Query", 1, false}, {"PutItem", 2, true}, {"TransactWriteItems", 1, true},
		}},
		{name: "update", method: http.MethodPatch, from: withOther, steps: []step{
			{"GetItem", 1, false}, {"PutItem", 1, true}, {"TransactWriteItems", 1, true},
		}},
		{name: "delete", method: http.MethodDelete, query: "?drop_slot=true&drop_publication=true", from: withMade, steps: []step{
			{"GetItem", 1, false}, {"UpdateItem", 1, true}, {"UpdateItem", 2, true}, {"TransactWriteItems", 1, true}, {"DeleteSecret", 1, true},
		}},
	}
}

// maxFlights is more than the flights of the longest request: two probes and the
// sessions that make something.
const maxFlights = 26

// killing is a request whose function is killed, and what comes then: a retry and a sweep,
// or a sweep alone.
type killing struct {
	making
	fault fault
	retry bool
}

func (k killing) String() string {
	after := "sweep"
	if k.retry {
		after = "retry and sweep"
	}
	return fmt.Sprintf("%s %s of %s %d, then %s", k.name, k.fault.kind, k.fault.operation, k.fault.nth, after)
}

func killings() []killing {
	var all []killing
	add := func(m making, f fault) { all = append(all, killing{m, f, len(all)%2 == 0}) }
	for _, m := range makings() {
		for _, s := range m.steps {
			add(m, fault{s.operation, s.nth, holdsBefore, once})
			add(m, fault{s.operation, s.nth, holdsAfter, once})
			if s.operation == "TransactWriteItems" {
				add(m, fault{s.operation, s.nth, holdsAfter, once}) // the other way round
				add(m, fault{s.operation, s.nth, holdsBefore, once})
			}
		}
		for n := range maxFlights {
			if m.byReference && n%4 != 0 {
				continue // its flights are those of a create
			}
			add(m, fault{flight, n + 1, holdsAfter, once})
		}
	}
	return all
}

// TestFaults_Making kills functions at every step of requests that make something on the
// target. After a retry, or a sweep alone, no slot, publication, pending item or secret is
// left without a database.
func TestFaults_Making(t *testing.T) {
	t.Parallel()
	payload, all := source(t), killings()
	var workers errgroup.Group
	workers.SetLimit(maxCells)
	var met, made, notMet atomic.Int64
	for i, k := range all {
		workers.Go(func() error {
			left, err := k.run(t.Context(), payload, fmt.Sprintf("made_%d", i))
			switch {
			case errors.Is(err, errNotMet):
				notMet.Add(1)
			case err != nil:
				t.Errorf("%s: %v", k, err)
			default:
				met.Add(1)
				if left {
					made.Add(1)
				}
			}
			return nil
		})
	}
	_ = workers.Wait() // it never fails
	const minMet = 50
	if met.Load() < minMet {
		t.Errorf("only %d functions were killed in time, want at least %d", met.Load(), minMet)
	}
	t.Logf("%d functions killed while they made or dropped slots (%d requests have fewer flights): %d had left a slot; nothing is left without a database",
		met.Load(), notMet.Load(), made.Load())
}

// run reports whether the killed function left a slot on the target.
func (k killing) run(ctx context.Context, payload map[string]any, name string) (left bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, cellTimeout)
	defer cancel()
	s, err := newStack(ctx, true)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	p := maps.Clone(payload)
	p["port"] = s.target.port()
	if k.byReference {
		if p, err = s.Share(ctx, account, s.theirs(), p); err != nil {
			return false, err
		}
	}
	wanted := map[string]any{
		"publication_name": name, "slot_name": name, "create_if_not_exists": true,
		"publication": map[string]any{"create_if_not_exists": true, "tables": []any{map[string]any{"schema": "public", "name": "made"}}},
	}
	making := maps.Clone(p)
	making["replication_slots"] = []any{wanted}
	body := map[string]any{"replication_slots": []any{wanted}}
	r := request{payload: making}
	switch k.from {
	case "":
		body = making
	case withMade:
		err, body = createAs(ctx, s.direct.Service, making, ""), nil
	case withOther:
		err = createAs(ctx, s.direct.Service, p, "")
	}
	if err != nil {
		return false, fmt.Errorf("prepare: %w", err)
	}
	if k.from != "" {
		d, err := s.direct.Get(ctx, account, firstName)
		if err != nil {
			return false, err
		}
		r.id = d.ID
	}
	if err := k.kill(ctx, s, r, body); err != nil {
		return false, err
	}
	slots, _, err := onTarget(ctx, name)
	if err != nil {
		return false, err
	}
	if k.retry {
		if err := k.again(ctx, s, r, body); err != nil {
			return false, fmt.Errorf("retry: %w", err)
		}
	}
	if _, err := s.sweep(ctx); err != nil {
		return false, fmt.Errorf("sweep: %w\n%s", err, s.log)
	}
	return slots, errors.Join(k.check(ctx, s, name), clearTarget(ctx, name))
}

func (k killing) point(s *stack) faultPoint {
	if k.fault.onTarget() {
		return s.target
	}
	return s.proxy
}

func (k killing) kill(ctx context.Context, s *stack, r request, body map[string]any) error {
	g := gateway.Request{Account: account, Method: k.method, Target: gateway.Collection}
	if r.id != "" {
		g.Target += "/" + r.id + k.query
	}
	var err error
	if body != nil {
		if g.Body, err = json.Marshal(body); err != nil {
			return err
		}
	}
	if r.id == "" {
		g.Header = map[string]string{"Idempotency-Key": idempotencyKey}
	}
	name, event, err := httpEvent(g)
	if err != nil {
		return err
	}
	f, err := s.start(ctx, name)
	if err != nil {
		return err
	}
	defer f.Stop()
	point := k.point(s)
	point.arm(k.fault)
	defer point.disarm()
	ended := make(chan error, 1)
	go func() {
		result, err := f.Invoke(ctx, event)
		ended <- errors.Join(err, fmt.Errorf("response: %s", result.Payload))
	}()
	select {
	case <-point.held():
		f.Kill()
	case err := <-ended:
		if k.fault.onTarget() {
			return errNotMet // the request has fewer flights
		}
		return fmt.Errorf("the function ended before it was killed: %w", err)
	}
	if err := <-ended; !errors.Is(err, localrun.ErrEnded) {
		return fmt.Errorf("the function was not killed: %w", err)
	}
	return nil
}

// again repeats the request without faults.
func (k killing) again(ctx context.Context, s *stack, r request, body map[string]any) error {
	switch k.from {
	case withMade:
		deleted, err := s.direct.Delete(ctx, account, r.id, database.DeleteOptions{DropSlot: true, DropPublication: true})
		if err != nil && apierror.KindOf(err) != apierror.NotFound {
			return err
		}
		if first, failed := deleted.Refused.FirstFailure(); failed {
			return errors.New(first.Message)
		}
		return nil
	case withOther:
		err := updateTo(ctx, s.direct.Service, r.id, body, true)
		if e, ok := errors.AsType[*apierror.Error](err); ok && e.Code == apierror.VersionConflict {
			// The killed function had sent its transaction, which committed in the meantime.
			err = updateTo(ctx, s.direct.Service, r.id, body, true)
		}
		return err
	}
	err := createAs(ctx, s.direct.Service, r.payload, idempotencyKey)
	if e, ok := errors.AsType[*apierror.Error](err); ok && e.Code == apierror.RequestInProgress {
		s.ahead.Add(int64(database.ClaimTime + time.Second))
		err = createAs(ctx, s.direct.Service, r.payload, idempotencyKey)
	}
	return err
}

// check fails unless the slot and its publication are on the target exactly if a database
// has them, and nothing is pending.
func (k killing) check(ctx context.Context, s *stack, name string) error {
	c, err := s.Contents(ctx)
	if err != nil {
		return err
	}
	registered := false
	for _, d := range c.Databases {
		registered = registered || strings.Contains(deployment.Text(d["document"]), `"slot_name":"`+name+`"`)
	}
	for _, item := range c.Items {
		if deployment.Text(item["PK"]) == "pending" {
			return errors.New("a pending item is left")
		}
	}
	if k.retry && registered != (k.from != withMade) {
		return fmt.Errorf("a database has the slot: %t after the retry", registered)
	}
	if !k.byReference && len(c.Secrets) != len(c.Databases) || k.byReference && len(c.Secrets) > 0 {
		return fmt.Errorf("%w: secrets %v for %d databases", errOrphan, c.Secrets, len(c.Databases))
	}
	slot, publication, err := onTarget(ctx, name)
	if err != nil {
		return err
	}
	// A delete that was killed and not repeated may have dropped them.
	half := k.from == withMade && !k.retry
	if slot != registered && !half || publication != slot {
		return fmt.Errorf("on the target: slot %t, publication %t; a database has them: %t", slot, publication, registered)
	}
	return nil
}

// onTarget reports whether the slot and the publication of that name exist.
func onTarget(ctx context.Context, name string) (slot, publication bool, err error) {
	out, err := machine.Postgres.Exec(ctx, sourceOptions().Database, fmt.Sprintf(
		"SELECT (SELECT count(*) FROM pg_replication_slots WHERE slot_name = '%[1]s'), (SELECT count(*) FROM pg_publication WHERE pubname = '%[1]s')", name))
	if err != nil {
		return false, false, err
	}
	counts := strings.FieldsFunc(out, func(r rune) bool { return r != '0' && r != '1' })
	if len(counts) != 2 {
		return false, false, fmt.Errorf("read what is on the target: %q", out)
	}
	return counts[0] == "1", counts[1] == "1", nil
}

func clearTarget(ctx context.Context, name string) error {
	_, err := machine.Postgres.Exec(ctx, sourceOptions().Database, fmt.Sprintf(
		"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '%[1]s'; DROP PUBLICATION IF EXISTS %[1]s", name))
	return err
}
