// Package functions_test invokes the built functions as Lambda does, against moto
// and Postgres.
package functions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/testkit/deployment"
	"github.com/headgate/headgate/internal/testkit/localrun"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

// machine has the servers and the functions that all tests share.
var machine *deployment.Machine

func TestMain(m *testing.M) {
	os.Exit(deployment.Main(m, pgserver.Options{Settings: map[string]string{
		"max_wal_senders": "150", "max_connections": "200", "max_replication_slots": "100",
	}}, func(m *deployment.Machine) { machine = m }))
}

// stack is a test's own deployment.
type stack struct {
	*deployment.Stack
	t   *testing.T
	env []string
}

func newStack(t *testing.T) *stack {
	t.Helper()
	s, err := machine.NewStack(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &stack{s, t, s.Env(machine.AWS.URL())}
}

// function starts a function, which is stopped when the test ends.
func (s *stack) function(name string) *runtimeapi.Function {
	s.t.Helper()
	f, err := s.Start(s.t.Context(), name, s.env)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(f.Stop)
	return f
}

// invoke invokes a function and decodes its response into out. It returns an
// error that the function itself reports.
func invoke(t *testing.T, f *runtimeapi.Function, event, out any) *runtimeapi.FunctionError {
	t.Helper()
	payload, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	result, err := f.Invoke(t.Context(), payload)
	if err != nil {
		t.Fatalf("%v\n%s", err, f.Logs())
	}
	if result.FunctionError != nil {
		return result.FunctionError
	}
	if err := json.Unmarshal(result.Payload, out); err != nil {
		t.Fatalf("%v: %s", err, result.Payload)
	}
	return nil
}

// contents returns what is in the stores, and the items of the table as JSON.
func (s *stack) contents() (c deployment.Contents, items string) {
	s.t.Helper()
	c, err := s.Contents(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	if items, err = c.JSON(); err != nil {
		s.t.Fatal(err)
	}
	return c, items
}

// wantEmpty fails the test if anything is stored.
func (s *stack) wantEmpty() {
	s.t.Helper()
	if c, items := s.contents(); !c.Empty() {
		s.t.Errorf("stored items %s and secrets %v, want none", items, c.Secrets)
	}
}

// wantOne fails the test unless exactly one database and one secret are stored.
func (s *stack) wantOne() {
	s.t.Helper()
	if c, _ := s.contents(); len(c.Databases) != 1 || len(c.Secrets) != 1 {
		s.t.Errorf("%d databases and secrets %v, want one of each", len(c.Databases), c.Secrets)
	}
}

// wantReference fails the test unless exactly one database is stored, and no secret.
func (s *stack) wantReference() {
	s.t.Helper()
	if c, _ := s.contents(); len(c.Databases) != 1 || len(c.Secrets) != 0 {
		s.t.Errorf("%d databases and secrets %v, want one and none", len(c.Databases), c.Secrets)
	}
}

// wantAbsent fails the test if a secret is in one of the texts, as it is or as
// JSON has it.
func wantAbsent(t *testing.T, secret string, texts ...string) {
	t.Helper()
	quoted, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		if strings.Contains(text, secret) || strings.Contains(text, strings.Trim(string(quoted), `"`)) {
			t.Errorf("text %d has the secret", i)
		}
	}
}

const sourcePassword = `s3cret'"\ %pässword`

var sources atomic.Int64

// newSource creates a database that is ready for change data capture and returns
// the payload that registers it.
func newSource(t *testing.T, name string) map[string]any {
	t.Helper()
	return newSourceOn(t, machine.Postgres, name)
}

// newSourceOn is newSource on another server.
func newSourceOn(t *testing.T, server *pgserver.Server, name string) map[string]any {
	t.Helper()
	n := sources.Add(1)
	source := pgserver.Source{
		Database: fmt.Sprintf("source_%d", n), Username: fmt.Sprintf("cdc_%d", n), Password: sourcePassword,
		Publication: "pub", Slot: fmt.Sprintf("slot_%d", n),
	}
	if err := server.CreateSource(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	return with(with(machine.Payload(name, source), "hostname", server.Host()), "port", server.Port())
}

func execute(t *testing.T, database, sql string) {
	t.Helper()
	if _, err := machine.Postgres.Exec(t.Context(), database, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// with returns a copy of a payload with one field changed.
func with(payload map[string]any, field string, value any) map[string]any {
	p := maps.Clone(payload)
	p[field] = value
	return p
}

// eventually fails the test unless done returns true within the limit.
func eventually(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if err := localrun.Poll(ctx, 50*time.Millisecond, func() (bool, error) { return done(), nil }); err != nil {
		t.Fatalf("wait for %s: %v", what, err)
	}
}

// contains reports whether the text has all the parts.
func contains(text string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}
