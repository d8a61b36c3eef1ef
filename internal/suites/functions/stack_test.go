// Package functions_test runs the built functions as Lambda would, against
// moto and Postgres.
package functions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/headgate/headgate/internal/testkit/mototest"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

// What the tests share: one Postgres, one moto, and the built functions.
var (
	postgres *pgserver.Server
	moto     *mototest.Server
	binaries string
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "headgate-functions")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binaries = dir
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", dir+"/", "../../../functions/...")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the functions: %v\n%s", err, out)
		return 1
	}
	installation, err := pgtest.Installation(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	postgres, err = pgserver.Start(context.Background(), pgserver.Options{Installation: installation, Settings: map[string]string{
		"max_wal_senders": "150", "max_connections": "200", "max_replication_slots": "100",
	}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer postgres.Stop()
	return mototest.Main(m, func(s *mototest.Server) { moto = s })
}

var tables atomic.Int64

// stack is a deployment: a table of its own, and the variables by which the
// functions find everything.
type stack struct {
	t      *testing.T
	table  string
	prefix string
	env    []string
}

func newStack(t *testing.T) *stack {
	t.Helper()
	n := tables.Add(1)
	s := &stack{t: t, table: fmt.Sprintf("headgate-%d", n), prefix: fmt.Sprintf("stack-%d", n)}
	if err := mototest.CreateTable(t.Context(), moto.URL(), s.table); err != nil {
		t.Fatal(err)
	}
	s.env = append(moto.Environment(), "TABLE_NAME="+s.table, "SECRET_PREFIX="+s.prefix, "EGRESS_ALLOW=127.0.0.0/8,::1/128",
		"AWS_LAMBDA_LOG_FORMAT=JSON")
	return s
}

// lookup is the stack's environment as a program in the same process sees it.
func (s *stack) lookup(name string) string {
	for _, kv := range s.env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}

// function starts a function that ends with the test.
func (s *stack) function(name string) *runtimeapi.Function {
	s.t.Helper()
	f, err := runtimeapi.Start(s.t.Context(), runtimeapi.Config{
		Binary: filepath.Join(binaries, name), FunctionName: name, Env: s.env,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(f.Stop)
	return f
}

// invoke runs a function once and reads its answer into out; the function's own
// error is returned.
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

func (s *stack) dynamodb() *dynamodb.Client {
	return dynamodb.NewFromConfig(moto.Config())
}

func (s *stack) secretsManager() *secretsmanager.Client {
	return secretsmanager.NewFromConfig(moto.Config())
}

// dump is the whole table as JSON.
func (s *stack) dump() string {
	s.t.Helper()
	out, err := s.dynamodb().Scan(s.t.Context(), &dynamodb.ScanInput{TableName: &s.table})
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := json.Marshal(out.Items)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// secrets are the names of the stack's secrets.
func (s *stack) secrets() []string {
	s.t.Helper()
	out, err := s.secretsManager().ListSecrets(s.t.Context(), &secretsmanager.ListSecretsInput{})
	if err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for _, e := range out.SecretList {
		if strings.HasPrefix(*e.Name, s.prefix+"/") {
			names = append(names, *e.Name)
		}
	}
	return names
}

const sourcePassword = `s3cret'"\ %pässword`

var sources atomic.Int64

// source makes a database that is ready for change data capture and gives the
// payload that registers it.
func source(t *testing.T, name string) map[string]any {
	t.Helper()
	n := sources.Add(1)
	db, role, slot := fmt.Sprintf("source_%d", n), fmt.Sprintf("cdc_%d", n), fmt.Sprintf("slot_%d", n)
	execute(t, "postgres", "CREATE ROLE "+role+" LOGIN REPLICATION PASSWORD '"+strings.ReplaceAll(sourcePassword, "'", "''")+"'")
	execute(t, "postgres", "CREATE DATABASE "+db)
	execute(t, db, "CREATE TABLE t (id int PRIMARY KEY); GRANT SELECT ON t TO "+role)
	execute(t, db, "CREATE PUBLICATION pub FOR TABLE t")
	execute(t, db, "SELECT pg_create_logical_replication_slot('"+slot+"', 'pgoutput')")
	return map[string]any{
		"name": name, "hostname": "127.0.0.1", "port": postgres.Port(), "database": db, "username": role, "password": sourcePassword,
		"replication_slots": []any{map[string]any{"publication_name": "pub", "slot_name": slot}},
	}
}

func execute(t *testing.T, db, sql string) {
	t.Helper()
	if _, err := postgres.Exec(t.Context(), db, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// post is the gateway's event of a create, as the authorizer let it in.
func post(t *testing.T, account string, payload any) events.APIGatewayProxyRequest {
	t.Helper()
	body, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	e := events.APIGatewayProxyRequest{
		Resource: "/api/postgres_databases", Path: "/api/postgres_databases", HTTPMethod: http.MethodPost,
		Headers: map[string]string{"content-type": "application/json"}, Body: string(body),
	}
	e.RequestContext.RequestID = "request-1"
	e.RequestContext.Path = "/v1/api/postgres_databases"
	e.RequestContext.Authorizer = map[string]any{"account_id": account}
	return e
}

// eventually asks until it is told yes, for at most limit.
func eventually(t *testing.T, limit time.Duration, what string, yes func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s did not come about within %s", what, limit)
		case <-tick.C:
		}
	}
}
