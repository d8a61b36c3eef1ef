package browser_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/testkit/devtest"
	"github.com/headgate/headgate/internal/testkit/localrun"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

var healthScreenshot = flag.String("health-screenshot", "", "file that a screenshot of the databases' health is written to")

// watched is a development server that checks its databases each second, and their
// server.
type watched struct {
	t        *testing.T
	url      string
	postgres *pgserver.Server
	profile  string
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	server := devtest.Start(t, "CHECK_EVERY=1s", "HEALTH_RETAINED_MB=64")
	return &watched{t: t, url: server.URL(), postgres: pgtest.Start(t, pgserver.Options{}), profile: t.TempDir()}
}

func (w *watched) request(method, path, body string) []byte {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer local-development-key")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= http.StatusBadRequest {
		w.t.Fatalf("%s %s: %d %s (%v)", method, path, answer.StatusCode, text, err)
	}
	return text
}

// register makes a source and registers it.
func (w *watched) register(name string) {
	w.t.Helper()
	source := pgserver.Source{Database: name, Username: name, Password: "password", Publication: "pub", Slot: name}
	if err := w.postgres.CreateSource(w.t.Context(), source); err != nil {
		w.t.Fatal(err)
	}
	payload, err := json.Marshal(map[string]any{
		"name": name, "hostname": w.postgres.Host(), "port": w.postgres.Port(), "database": name, "username": name, "password": "password",
		"replication_slots": []any{map[string]any{"publication_name": "pub", "slot_name": name}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.request(http.MethodPost, "/api/postgres_databases", string(payload))
}

// await waits until a check found the status.
func (w *watched) await(name, status string) {
	w.t.Helper()
	err := localrun.Poll(w.t.Context(), 200*time.Millisecond, func() (bool, error) {
		var h struct{ Status string }
		err := json.Unmarshal(w.request(http.MethodGet, "/api/postgres_databases/"+name+"/health", ""), &h)
		return h.Status == status, err
	})
	if err != nil {
		w.t.Fatalf("wait until %s is %s: %v", name, status, err)
	}
}

func (w *watched) exec(sql string) {
	w.t.Helper()
	if _, err := w.postgres.Exec(w.t.Context(), "orders", sql); err != nil {
		w.t.Fatal(err)
	}
}

// TestHealth holds the slots of two databases back and drops one. The page is opened
// several times by the same browser, which remembers what it has seen.
func TestHealth(t *testing.T) {
	t.Parallel()
	browser(t)
	w := newWatched(t)
	w.register("orders")
	w.register("billing")
	var document, log string
	for range 4 {
		w.await("orders", "healthy")
		document, log = open(t, w.url+"/", "--dump-dom", "--user-data-dir="+w.profile)
		wantShown(t, document, log, `<span class="status healthy">healthy</span>`)
		w.exec("SELECT pg_logical_emit_message(false, 'fill', 'x'); SELECT pg_switch_wal()")
	}
	for range 3 {
		w.exec("SELECT pg_logical_emit_message(false, 'fill', 'x'); SELECT pg_switch_wal()")
	}
	w.await("orders", "degraded")
	w.exec("SELECT pg_drop_replication_slot('billing')")
	w.await("billing", "failing")
	document, log = open(t, w.url+"/", "--dump-dom", "--user-data-dir="+w.profile)
	wantShown(t, document, log, `<span class="status degraded">degraded</span>`, `<span class="status failing">failing</span>`, "<polyline points=",
		"replication_slot_lagging", "replication_slot_not_found", "SELECT pg_create_logical_replication_slot('billing', 'pgoutput')")
	if *healthScreenshot == "" {
		return
	}
	file, err := filepath.Abs(*healthScreenshot)
	if err != nil {
		t.Fatal(err)
	}
	open(t, w.url+"/", "--screenshot="+file, "--user-data-dir="+w.profile, "--window-size=900,1000")
	if info, err := os.Stat(file); err != nil || info.Size() == 0 {
		t.Errorf("no screenshot (%v)", err)
	}
}
