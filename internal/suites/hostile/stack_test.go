package hostile_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/egress"
	"github.com/headgate/headgate/internal/httpapi"
	"github.com/headgate/headgate/internal/localstore"
	"github.com/headgate/headgate/internal/probe"
	"github.com/headgate/headgate/internal/testkit/gateway"
	"github.com/headgate/headgate/internal/testkit/localrun"
)

const (
	account = "acme"
	// loopback allows the addresses of the tests' own servers.
	loopback = "127.0.0.0/8,::1/128"

	// maxResponse is Lambda's limit on a response, in bytes.
	maxResponse = 6_291_556
	// maxTime and maxTargetTime are the API's promises, with some time for a busy
	// machine.
	slack         = 2 * time.Second
	maxTime       = 26*time.Second + slack
	maxTargetTime = 10*time.Second + slack
)

// stack is the whole system in this process: the API over a local file, with the
// real prober.
type stack struct {
	t       *testing.T
	file    string
	log     *localrun.Output
	prober  *probe.Prober
	handler *httpapi.Handler
	service *database.Service

	mu       sync.Mutex
	failures map[string]int
}

// newStack returns a stack that allows ranges besides the public internet, and whose
// functions have a Runtime API at runtime.
func newStack(t *testing.T, allow, runtime string) *stack {
	t.Helper()
	policy, err := egress.New(allow, runtime)
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{t: t, file: filepath.Join(t.TempDir(), "headgate.db"), log: &localrun.Output{}, prober: probe.New(policy), failures: map[string]int{}}
	t.Cleanup(s.countFailures)
	store, err := localstore.Open(s.file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	log := slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.service = &database.Service{
		Catalog: store.Catalog(), Vault: store.Vault(), Prober: s.prober, Maker: s.prober, References: store, Now: time.Now, Log: log,
	}
	s.handler = &httpapi.Handler{Endpoints: httpapi.Databases{Service: s.service}.Endpoints(), Log: log, Now: time.Now}
	return s
}

// fail fails the test. Of one kind of failure it prints the first ones.
func (s *stack) fail(kind, format string, values ...any) {
	const maxPrinted = 3
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures[kind]++; s.failures[kind] <= maxPrinted {
		s.t.Errorf(format, values...)
	}
}

func (s *stack) countFailures() {
	for kind, n := range s.failures {
		s.t.Logf("%s: %d failures", kind, n)
	}
}

// answer is a response, with its body as it was sent and as it was read.
type answer struct {
	status int
	body   string
	took   time.Duration
	// size is that of the response as Lambda sends it.
	size int

	Summary  string
	Code     string
	Success  bool
	ID       string
	Checks   []finding
	Warnings []finding
	Tables   []struct{ Schema, Name string }
}

type finding struct{ Name, Status, Code, Message, Fix string }

// do sends a request and checks what is promised of every answer.
func (s *stack) do(r gateway.Request) answer {
	s.t.Helper()
	r.Account = account
	_, event, err := gateway.Event(r)
	if err != nil {
		s.t.Fatal(err)
	}
	begin := time.Now()
	out, err := s.handler.Handle(s.t.Context(), event)
	a := answer{status: out.StatusCode, body: out.Body, took: time.Since(begin)}
	if err != nil {
		s.t.Errorf("%s %s: %v", r.Method, r.Target, err)
	}
	sent, err := json.Marshal(out)
	if err != nil {
		s.t.Errorf("%s %s: %v", r.Method, r.Target, err)
	}
	a.size = len(sent)
	if err := json.Unmarshal([]byte(out.Body), &a); err != nil {
		s.fail("body", "%s %s: status %d, a body of %d bytes that is not JSON: %v", r.Method, r.Target, a.status, len(a.body), err)
	}
	s.note(r, a)
	return a
}

func (s *stack) note(r gateway.Request, a answer) {
	s.t.Helper()
	// What is made on a target may take longer than a look at it.
	making := bytes.Contains(r.Body, []byte("create_if_not_exists"))
	target := !making && (r.Method == "POST" || r.Method == "PATCH" || r.Method == "PUT")
	total.answer(a.status, a.size, a.took, target)
	total.outcome(a.status, a.codes())
	if a.status >= 500 {
		s.fail("5xx", "%s %s: %d %s", r.Method, r.Target, a.status, cut(a.body))
	}
	if limit := maxTime; a.took > limit || target && a.took > maxTargetTime {
		s.fail("time", "%s %s: took %v", r.Method, r.Target, a.took)
	}
	if a.size > maxResponse {
		s.fail("size", "%s %s: the response has %d bytes", r.Method, r.Target, a.size)
	}
	if problem := a.printable(); problem != "" {
		s.fail("unprintable", "%s %s: %s", r.Method, r.Target, problem)
	}
}

// send sends a payload as JSON; nil sends no body.
func (s *stack) send(method, target string, payload any) answer {
	s.t.Helper()
	r := gateway.Request{Method: method, Target: target}
	if payload != nil {
		body, err := json.Marshal(payload)
		if err != nil {
			s.t.Fatal(err)
		}
		r.Body = body
	}
	return s.do(r)
}

// dryRun sends a payload as a create that keeps nothing.
func (s *stack) dryRun(payload any) answer {
	s.t.Helper()
	return s.send("POST", gateway.Collection+"?dry_run=true", payload)
}

// codes returns the codes of the answer's findings.
func (a answer) codes() []string {
	var codes []string
	for _, f := range a.findings() {
		codes = append(codes, f.Code)
	}
	return codes
}

// findings returns the answer's findings, those of a database object too.
func (a answer) findings() []finding {
	var found []finding
	for _, f := range append(a.Checks, a.Warnings...) {
		if f.Code != "" {
			found = append(found, f)
		}
	}
	return found
}

// cut returns the beginning of a text.
func cut(text string) string {
	const maxShown = 2000
	return strings.ToValidUTF8(text[:min(len(text), maxShown)], "?")
}

// rawWarnings returns the size of a database object's warnings as they were sent.
func (a answer) rawWarnings() int {
	var object struct{ Warnings json.RawMessage }
	if err := json.Unmarshal([]byte(a.body), &object); err != nil {
		return 0
	}
	return len(object.Warnings)
}
