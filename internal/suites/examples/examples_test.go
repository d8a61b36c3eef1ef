// Package examples_test runs the commands of the examples' pages, in copies of
// their directories, against the development server and a real Postgres.
package examples_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/deployment"
	"github.com/headgate/headgate/internal/testkit/devtest"
	"github.com/headgate/headgate/internal/testkit/localrun"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

const (
	directory = "../../../examples"
	key       = "example-key"
	password  = `s3cret'"\ %pässword`
	// timeout covers the installation of the generators.
	timeout = 5 * time.Minute
)

// postgres is the server of all tests.
var postgres *pgserver.Server

func TestMain(m *testing.M) {
	os.Exit(pgtest.Main(m, pgserver.Options{}, func(s *pgserver.Server) { postgres = s }))
}

// start starts a development server and returns the environment of an example: the
// API, and a source that is ready.
func start(t *testing.T) []string {
	t.Helper()
	server := devtest.Start(t, "API_KEY="+key)
	source := newSource(t)
	return append(os.Environ(),
		"HEADGATE_URL="+server.URL(), "HEADGATE_API_KEY="+key,
		"PGHOST="+postgres.Host(), fmt.Sprint("PGPORT=", postgres.Port()), "PGDATABASE="+source.Database,
		"PGUSER="+source.Username, "PGPASSWORD="+password, "PUBLICATION="+source.Publication, "SLOT="+source.Slot,
	)
}

var sources atomic.Int64

func newSource(t *testing.T) pgserver.Source {
	t.Helper()
	n := sources.Add(1)
	source := pgserver.Source{
		Database: fmt.Sprintf("source_%d", n), Username: fmt.Sprintf("cdc_%d", n), Password: password,
		Publication: "pub", Slot: fmt.Sprintf("slot_%d", n),
	}
	if err := postgres.CreateSource(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	return source
}

var commands = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// run runs the commands of an example's page in a copy of its directory, and
// returns what they print.
func run(t *testing.T, page string, env []string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(directory, page))
	if err != nil {
		t.Fatal(err)
	}
	found := commands.FindAllStringSubmatch(string(text), -1)
	if len(found) != 1 {
		t.Fatalf("%s has %d blocks of commands, want one", page, len(found))
	}
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(filepath.Join(directory, filepath.Dir(page)))); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", found[0][1])
	cmd.Dir, cmd.Env = copied, env
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	out, err := localrun.Run(ctx, cmd)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out, password) || strings.Contains(out, key) {
		t.Error("the example prints a secret")
	}
	return out
}

func wantLines(t *testing.T, out string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !regexp.MustCompile("(?m)^" + line + "$").MatchString(out) {
			t.Errorf("there is no line %q in:\n%s", line, out)
		}
	}
}

const (
	registered = `Registered as [0-9a-f]{8}-[0-9a-f-]{27}, the password is shown as \*{12}\.`
	checks     = `Checked again: 14 checks`
)

func TestCurl(t *testing.T) {
	t.Parallel()
	out := run(t, "curl/README.md", start(t))
	wantLines(t, out, "  replication_slot passed", registered, `Databases: \["curl-example"\]`, "Checked again: true", "Removed: true")
}

func TestOnRequest(t *testing.T) {
	t.Parallel()
	env := append(start(t), "TABLE="+pgserver.SourceTable)
	value := deployment.Lookup(env)
	for _, sql := range []string{
		"SELECT pg_drop_replication_slot('" + value("SLOT") + "')",
		"DROP PUBLICATION " + value("PUBLICATION"),
		"GRANT CREATE ON DATABASE " + value("PGDATABASE") + " TO " + value("PGUSER"),
		"ALTER TABLE " + pgserver.SourceTable + " OWNER TO " + value("PGUSER"),
	} {
		if _, err := postgres.Exec(t.Context(), value("PGDATABASE"), sql); err != nil {
			t.Fatal(err)
		}
	}
	out := run(t, "curl/on-request.md", env)
	wantLines(t, out, `  passed: .*`+value("PUBLICATION")+`.*`, `Made: \["publication","replication_slot"\]`, `Dropped: \["replication_slot","publication"\]`)
}

// The entries are those of put-events, and the detail is one that provision-database takes.
func TestEvents(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(directory, "events", "entries.json"))
	if err != nil {
		t.Fatal(err)
	}
	var entries []struct{ EventBusName, Source, DetailType, Detail string }
	if err := json.Unmarshal(text, &entries); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		account, p, err := database.ParseEvent([]byte(e.Detail))
		if err != nil || account == "" || !p.Target.Creation.Slot || e.DetailType != "Postgres Database Requested" || e.EventBusName == "" || e.Source == "" {
			t.Errorf("entry %+v, error %v", e, err)
		}
	}
}

// The client is generated and compiled anew on each run.
func TestGo(t *testing.T) {
	t.Parallel()
	out := run(t, "go/README.md", append(start(t), "GOFLAGS=", "GOWORK=off"))
	wantLines(t, out, "Refused: replication_slot_not_found", registered, `Annotated: map\[team:orders\]`, `Listed: go-example on 127\.0\.0\.1`, checks, "Removed: true")
}

func TestPython(t *testing.T) {
	t.Parallel()
	requirement, err := os.ReadFile(filepath.Join(directory, "python", "requirements.txt"))
	if err != nil {
		t.Fatal(err)
	}
	program, err := localrun.PythonProgram(t.Context(), "openapi-python-client", strings.TrimSpace(string(requirement)))
	if err != nil {
		t.Fatal(err)
	}
	environment := "PATH=" + filepath.Dir(program) + string(os.PathListSeparator) + os.Getenv("PATH")
	out := run(t, "python/README.md", append(start(t), environment))
	wantLines(t, out, "Refused: replication_slot_not_found", registered, `Annotated: \{'team': 'orders'\}`, `Listed: python-example on 127\.0\.0\.1`, checks, "Removed: True")
}

// hclfmt is the formatter of Terraform's language.
const hclfmt = "github.com/hashicorp/hcl/v2/cmd/hclfmt@v2.24.0"

// Neither Terraform nor the provider can be had without HashiCorp's servers. What the
// provider sends is tested in internal/suites/functions.
func TestTerraform(t *testing.T) {
	t.Parallel()
	file := filepath.Join(directory, "terraform", "main.tf")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^  ssl = true$`).Match(text) {
		t.Error("the example leaves ssl out, which the provider sends as false")
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	if _, err := localrun.Run(ctx, exec.Command("go", "run", hclfmt, "-check", "-require-no-change", file)); err != nil {
		t.Error(err)
	}
}
