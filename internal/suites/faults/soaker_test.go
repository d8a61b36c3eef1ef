package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// soakNames returns few names, so that workers compete for them.
func soakNames() []string { return []string{"a", "b", "c", "d", "e", "f"} }

// logins returns the passwords of the source's users.
func logins() map[string]database.Password {
	return map[string]database.Password{firstUser: firstSecret, secondUser: secondSecret}
}

// tally counts requests by their outcome.
type tally struct {
	mu      sync.Mutex
	counts  map[string]int
	total   int
	met     int
	slowest time.Duration
}

func newTally() *tally { return &tally{counts: map[string]int{}} }

func (t *tally) add(operation string, took time.Duration, met bool, err error) {
	outcome := "succeeded"
	if e, ok := errors.AsType[*apierror.Error](err); ok {
		outcome = fmt.Sprintf("%v %s", e.Kind, e.Code)
	} else if err != nil {
		outcome = "failed"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[operation+" "+outcome]++
	t.total++
	t.slowest = max(t.slowest, took)
	if met {
		t.met++
	}
}

func (t *tally) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d requests, %d with a fault, the slowest took %s\n", t.total, t.met, t.slowest.Round(time.Millisecond))
	for _, name := range slices.Sorted(maps.Keys(t.counts)) {
		fmt.Fprintf(&text, "%8d %s\n", t.counts[name], name)
	}
	return text.String()
}

// soaker is one worker of the soak.
type soaker struct {
	*stack
	random  *rand.Rand
	payload map[string]any
	details map[string]map[string]any
	pending int // requests since late ones were released
}

// maxPending limits how long a request is late: well below a minute.
const maxPending = 4

// soakOne makes requests to the stack through its own proxies until ctx ends.
func (s *stack) soakOne(ctx context.Context, seed uint64, payload map[string]any, details map[string]map[string]any, all *tally) (err error) {
	mine, err := openStack(s.Stack, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, mine.close()) }()
	w := &soaker{stack: mine, random: rand.New(rand.NewPCG(seed, 1)), payload: maps.Clone(payload), details: map[string]map[string]any{}}
	w.payload["port"] = mine.target.port()
	for user, detail := range details {
		w.details[user] = maps.Clone(detail)
		w.details[user]["port"] = mine.target.port()
	}
	for ctx.Err() == nil {
		if err := w.once(context.WithoutCancel(ctx), all); err != nil {
			return fmt.Errorf("worker %d: %w\n%s", seed, err, mine.log)
		}
		mine.log.Reset()
	}
	return nil
}

// once makes one request, usually with a fault, and fails if neither the fault nor
// another worker explains the response.
func (w *soaker) once(ctx context.Context, all *tally) error {
	point := w.armRandom()
	began := time.Now()
	work, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	name := pick(w.random, soakNames())
	operation, err := w.request(work, name)
	took := time.Since(began)
	met := point != nil && point.disarm() > 0
	if w.pending++; w.random.IntN(2) == 0 || w.pending > maxPending {
		w.pending = 0
		w.proxy.releaseLate()
	}
	all.add(operation, took, met, err)
	if err != nil && apierror.KindOf(err) == apierror.Internal {
		return fmt.Errorf("%s %s is reported as a defect: %w", operation, name, err)
	}
	if took > requestTimeout+maxDelay {
		return fmt.Errorf("%s %s took %s", operation, name, took)
	}
	return nil
}

// armRandom arms a fault in two of three cases.
func (w *soaker) armRandom() faultPoint {
	const maxNth = 8
	f := fault{operation: anyOperation, nth: 1 + w.random.IntN(maxNth)}
	switch w.random.IntN(3) {
	case 0:
		f.kind = pick(w.random, []kind{answers500, throttles, hangsBefore, cutsBefore, cutsAfter, hangsAfter, landsLate})
		f.reach = pick(w.random, []reach{once, onward, outage})
		w.proxy.arm(f)
		return w.proxy
	case 1:
		f.kind = pick(w.random, []kind{hangsBefore, cutsBefore, cutsAfter, hangsAfter})
		w.target.arm(f)
		return w.target
	}
	return nil
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// request makes a random request about a name and returns its operation.
func (w *soaker) request(ctx context.Context, name string) (string, error) {
	user := pick(w.random, []string{firstUser, secondUser})
	switch w.random.IntN(10) {
	case 0, 1, 2:
		p := maps.Clone(w.payload)
		p["name"], p["username"], p["password"] = name, user, string(logins()[user])
		return "create", createAs(ctx, w.faulty.Service, p, uuid.NewString())
	case 3:
		return "provision", w.provision(ctx, name, user)
	case 4, 5:
		return "update", w.update(ctx, name, user)
	case 6:
		_, err := w.faulty.Delete(ctx, account, name, database.DeleteOptions{})
		return "delete", err
	case 7:
		_, err := w.faulty.TestConnection(ctx, account, name)
		return "test", err
	case 8:
		return "list", w.list(ctx)
	}
	return "read", w.checkLogin(ctx, w.faulty, name)
}

func (w *soaker) list(ctx context.Context) error {
	for _, err := range w.faulty.List(ctx, account, database.ListOptions{WithPasswords: true}) {
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *soaker) provision(ctx context.Context, name, user string) error {
	detail := maps.Clone(w.details[user])
	detail["name"] = name
	body, err := json.Marshal(detail)
	if err != nil {
		return err
	}
	return w.faulty.events.Handle(ctx, events.EventBridgeEvent{ID: uuid.NewString(), Detail: body})
}

// update changes the login and, in half of all cases, the name.
func (w *soaker) update(ctx context.Context, name, user string) error {
	change := map[string]any{"username": user, "password": string(logins()[user])}
	if w.random.IntN(2) == 0 {
		change["name"] = pick(w.random, soakNames())
	}
	return updateTo(ctx, w.faulty.Service, name, change, w.random.IntN(2) == 0)
}

// checkLogin fails if a database's password is not that of its user: then it is a
// mixture of two states.
func (s *stack) checkLogin(ctx context.Context, e entry, name string) error {
	d, err := e.Get(ctx, account, name)
	if err != nil {
		return err
	}
	p, err := e.Passwords(ctx, d)
	if err != nil {
		return err
	}
	want := logins()[d.Endpoint.Username]
	if d.Endpoint.PasswordSecretARN != "" {
		want = ""
	}
	if p.Main != want {
		return apierror.New(apierror.Internal, "incomplete state", fmt.Errorf("%w: user and password of %s do not match", errHalf, name))
	}
	return nil
}
