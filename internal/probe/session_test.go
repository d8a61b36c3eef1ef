package probe_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/check"
)

// TestSafety_ClientEnvironment is not parallel: it sets the environment variables that
// Postgres clients take defaults from.
func TestSafety_ClientEnvironment(t *testing.T) {
	for name, content := range map[string]string{
		"a service":              "[theirs]\nhost=203.0.113.1\nsslmode=verify-full\n",
		"no such service":        "[other]\nhost=203.0.113.1\n",
		"a malformed file":       "[theirs\nno pair",
		"a file that is a trick": "[theirs]\npassfile=/etc/passwd\nsslrootcert=/absent\ntarget_session_attrs=standby\noptions=-c statement_timeout=1\n",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "services")
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			testClientEnvironment(t, file)
		})
	}
}

func testClientEnvironment(t *testing.T, file string) {
	t.Helper()
	s := newSource(t, shared)
	for name, value := range map[string]string{
		"PGSERVICE": "theirs", "PGSERVICEFILE": file, "PGSYSCONFDIR": t.TempDir(), "PGSSLSNI": "0", "PGGSSENCMODE": "require", "PGKRBSRVNAME": "x",
		"PGHOST": "203.0.113.1", "PGPORT": "1", "PGDATABASE": "other", "PGUSER": "other", "PGPASSWORD": "other",
		"PGPASSFILE": "/absent", "PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/absent", "PGSSLCERT": "/absent", "PGSSLKEY": "/absent",
		"PGSSLNEGOTIATION": "direct", "PGSSLCERTMODE": "require", "PGTARGETSESSIONATTRS": "standby", "PGAPPNAME": "other", "PGOPTIONS": "-c statement_timeout=1",
		"PGTZ": "Nowhere/Land", "PGCONNECT_TIMEOUT": "-", "PGREQUIREAUTH": "none", "PGCHANNELBINDING": "require",
		"PGMINPROTOCOLVERSION": "3.2", "PGMAXPROTOCOLVERSION": "3.2",
	} {
		t.Setenv(name, value)
	}
	for _, ssl := range []bool{true, false} {
		s.target.Endpoint.SSL = ssl
		if failure, failed := s.probe().FirstFailure(); failed {
			t.Errorf("ssl %v: %s: %s", ssl, failure.Code, failure.Message)
		}
	}
}

func TestProbe_Cancelled(t *testing.T) {
	t.Parallel()
	s := servedBy(discardInput)(t)
	ctx, cancel := context.WithCancel(t.Context())
	stop := time.AfterFunc(100*time.Millisecond, cancel)
	defer stop.Stop()
	begin := time.Now()
	report := prober(t).Probe(ctx, s.target).Report
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
	if _, failed := report.FirstFailure(); !failed {
		t.Error(describe(report))
	}
}

func TestProbe_SessionKind(t *testing.T) {
	t.Parallel()
	for backend, role := range map[string]string{"walsender": "REPLICATION", "client backend": "NOREPLICATION"} {
		s := newSource(t, shared)
		s.admin("ALTER ROLE " + s.role() + " " + role)
		lock := openSession(t, shared, s.target.Endpoint.Database, nil)
		mustDo(t, lock, "BEGIN")
		mustDo(t, lock, "LOCK TABLE pg_publication IN ACCESS EXCLUSIVE MODE")
		seen, done := s.waitingSession()
		if want := backend + " headgate"; seen != want {
			t.Errorf("the session is %q, want %q", seen, want)
		}
		mustDo(t, lock, "ROLLBACK")
		if c, ok := entry(<-done, check.ServerError); ok {
			t.Error(c.Message)
		}
	}
}

// waitingSession starts a probe that waits for a lock, and returns the backend type
// and the application name of its session, and the channel of its report. A probe can
// end before its session was seen; then it starts another, three at most.
func (s *source) waitingSession() (string, chan check.Report) {
	s.t.Helper()
	for range 3 {
		done := make(chan check.Report, 1)
		go func() { done <- s.probe() }()
		for len(done) == 0 {
			seen := s.admin("SELECT backend_type || ' ' || application_name FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = " +
				literal(s.target.Endpoint.Username))
			if seen != "" {
				return seen, done
			}
		}
	}
	s.t.Fatal("no waiting session was seen")
	return "", nil
}

// TestPostgres_WALSenderSettings checks what the probe assumes about Postgres.
func TestPostgres_WALSenderSettings(t *testing.T) {
	t.Parallel()
	settings := map[string]string{
		"statement_timeout": "200ms", "client_min_messages": "warning", "default_transaction_read_only": "on",
	}
	params := maps.Clone(settings)
	params["replication"] = "database"
	conn := openSession(t, shared, "postgres", params)
	for name, want := range settings {
		results, err := conn.Exec(t.Context(), "SELECT pg_catalog.current_setting('"+name+"')").ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if got := string(results[0].Rows[0][0]); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if _, err := conn.Exec(t.Context(), "CREATE TABLE written (id int)").ReadAll(); err == nil {
		t.Error("the session may write")
	}
	if _, err := conn.Exec(t.Context(), "SELECT pg_catalog.pg_sleep(60)").ReadAll(); err == nil {
		t.Error("a statement has no time limit")
	}
}
