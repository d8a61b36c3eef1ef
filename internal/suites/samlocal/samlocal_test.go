// Package samlocal_test runs every event of events/ with `sam local invoke`: the
// built functions in containers, against moto and real Postgres servers. It has
// a target of the makefile of its own, which builds the functions.
package samlocal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/testkit/localrun"
	"github.com/headgate/headgate/internal/testkit/mototest"
)

// invokeDeadline is for one container: SAM takes some seconds to start it.
const invokeDeadline = 2 * time.Minute

// step is one event that a function is invoked with, and what it is to answer.
type step struct {
	function, event string
	// status is that of the answer to a request, 0 where the function answers
	// something else.
	status int
	// want is part of the answer.
	want string
}

// steps are in the order in which a database comes and goes.
func steps() []step {
	return []step{
		{"DescribeApiFunction", "describe-api", 200, `"openapi":"3.1.0"`},
		{"NotFoundFunction", "not-found", 404, `no such route`},
		{"CreateApiKeyFunction", "create-api-key", 0, `"account_id":"local"`},
		{"AuthorizeRequestFunction", "authorize-request", 0, `"errorMessage":"Unauthorized"`},
		{"RevokeApiKeyFunction", "revoke-api-key", 0, `no API key`},
		{"CreateDatabaseFunction", "create-database-by-fields", 201, `"name":"by-fields"`},
		{"CreateDatabaseFunction", "create-database-by-url", 201, `"name":"by-url"`},
		{"CreateDatabaseFunction", "create-database-missing-slot", 422, `"code":"replication_slot_not_found"`},
		{"CreateDatabaseFunction", "create-database-replica", 201, `"name":"replica"`},
		{"GetDatabaseFunction", "get-database", 200, `"password":"************"`},
		{"GetDatabaseFunction", "get-database-sensitive", 200, `"password":"postgres"`},
		{"ListDatabasesFunction", "list-databases", 200, `"name":"replica"`},
		{"TestDatabaseFunction", "test-database", 200, `"success":true`},
		{"RefreshTablesFunction", "refresh-tables", 200, `orders`},
		{"UpdateDatabaseFunction", "update-database", 200, `"status":"disabled"`},
		{"DeleteDatabaseFunction", "delete-database", 200, `"success":true`},
		{"SweepSecretsFunction", "sweep-secrets", 0, `{"seen":2,"orphans":0,"scheduled":0}`},
	}
}

// sandbox is what `sam local invoke` needs.
type sandbox struct {
	sam, root, architecture string
	engine                  *engine
	// secret is the ARN of a secret that holds the target's password.
	secret string
}

func TestEveryEventIsAnsweredInAContainer(t *testing.T) {
	s := newSandbox(t)
	for _, step := range steps() {
		t.Run(step.event, func(t *testing.T) {
			began := time.Now()
			answer, _ := s.invoke(t, step.function, s.file(step.event), "")
			status, body := read(t, answer)
			if status != step.status || !strings.Contains(body, step.want) {
				t.Errorf("answered %d %s, want %d with %s", status, body, step.status, step.want)
			}
			t.Logf("%s: status %d in %.1f s", step.function, status, time.Since(began).Seconds())
		})
	}
	t.Run("a key that was made opens the API until it is revoked", s.key)
	t.Run("an event is answered on the bus", s.provision)
}

// key makes a key, is let in with it, and revokes it: the events of events/ hold
// a key and an ID that nobody has.
func (s *sandbox) key(t *testing.T) {
	answer, _ := s.invoke(t, "CreateApiKeyFunction", s.file("create-api-key"), "")
	var made struct {
		APIKey string `json:"api_key"`
		ID     string
	}
	if err := json.Unmarshal(answer, &made); err != nil {
		t.Fatal(err)
	}
	request := s.event(t, "authorize-request", "hg_"+strings.Repeat("0", 43), made.APIKey)
	if answer, _ := s.invoke(t, "AuthorizeRequestFunction", "-", request); !strings.Contains(string(answer), `"principalId":"local"`) {
		t.Error("the key is not let in")
	}
	revocation := s.event(t, "revoke-api-key", "0123456789abcdef", made.ID)
	if answer, _ := s.invoke(t, "RevokeApiKeyFunction", "-", revocation); string(answer) != `{"revoked":true}` {
		t.Errorf("the revocation is answered %s", answer)
	}
	if answer, _ := s.invoke(t, "AuthorizeRequestFunction", "-", request); !strings.Contains(string(answer), `"Unauthorized"`) {
		t.Error("the revoked key is let in")
	}
}

// provision runs an event that names a secret that nobody has, and the same event
// with one that is there: a refusal leaves its ID free to be used again.
func (s *sandbox) provision(t *testing.T) {
	const function, nobodys = "ProvisionDatabaseFunction", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:headgate-sample-AbCdEf"
	if answer, log := s.invoke(t, function, s.file("provision-database"), ""); string(answer) != "null" || !strings.Contains(log, `"outcome":"rejected"`) {
		t.Errorf("without the secret the answer is %s\n%s", answer, log)
	}
	request := s.event(t, "provision-database", nobodys, s.secret)
	if answer, log := s.invoke(t, function, "-", request); string(answer) != "null" || !strings.Contains(log, `"outcome":"created"`) {
		t.Errorf("with the secret the answer is %s\n%s", answer, log)
	}
}

func TestNoEventIsLeftOut(t *testing.T) {
	t.Parallel()
	root, err := localrun.RepositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "events", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	// The environment file, and the event that has a test of its own.
	tried := []string{"env", "provision-database"}
	for _, step := range steps() {
		tried = append(tried, step.event)
	}
	for _, file := range files {
		if !slices.Contains(tried, strings.TrimSuffix(filepath.Base(file), ".json")) {
			t.Errorf("no step invokes a function with %s", file)
		}
	}
}

func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	root, err := localrun.RepositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	s := &sandbox{sam: os.Getenv("SAM"), architecture: os.Getenv("ARCHITECTURE"), root: root}
	if s.sam == "" || s.architecture == "" {
		t.Fatal("SAM and ARCHITECTURE are not set: run this test by `make sam-local`")
	}
	install(t, "busybox", "busybox-static")
	s.engine = startEngine(t)
	s.engine.importImage(t)
	machine := gateway(t)
	primary, standby := startSources(t)
	relay(t, machine, postgresPort, loopback(primary.Port()))
	relay(t, machine, standbyPort, loopback(standby.Port()))
	aws, secret := startAWS(t)
	s.secret = secret
	relay(t, machine, motoPort, aws.Host)
	return s
}

// invoke runs `sam local invoke` and gives the function's answer, without space
// between its parts, and what SAM and the function logged. event is a file, or -
// for input.
func (s *sandbox) invoke(t *testing.T, function, event, input string) (answer []byte, log string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), invokeDeadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.sam, "local", "invoke", function, "--event", event,
		"--template", filepath.Join(s.root, ".cache/samlocal/template.yaml"),
		"--env-vars", s.file("env"),
		"--parameter-overrides", "Architecture="+s.architecture,
		"--region", mototest.Region,
		"--add-host", "localhost:host-gateway",
		"--skip-pull-image", "--invoke-image", image+":"+imageTag)
	cmd.Dir = s.root
	cmd.Env = append(os.Environ(), "DOCKER_HOST=unix://"+s.engine.socket, "SAM_CLI_TELEMETRY=0",
		"AWS_ACCESS_KEY_ID="+mototest.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+mototest.SecretAccessKey)
	var output, errors, compact bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &output, &errors
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, errors.String())
	}
	if err := json.Compact(&compact, output.Bytes()); err != nil {
		t.Fatalf("%v: %s\n%s", err, output.String(), errors.String())
	}
	return compact.Bytes(), errors.String()
}

// file is the path of a file of events/.
func (s *sandbox) file(name string) string { return filepath.Join(s.root, "events", name+".json") }

// event is an event of events/ with one of its values replaced.
func (s *sandbox) event(t *testing.T, name, old, value string) string {
	t.Helper()
	text, err := os.ReadFile(s.file(name))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(old)) {
		t.Fatalf("%s holds no %s", name, old)
	}
	return strings.ReplaceAll(string(text), old, value)
}

// read gives an answer's status and body, 0 and all of it where it is no answer
// to a request.
func read(t *testing.T, answer []byte) (int, string) {
	t.Helper()
	if !bytes.HasPrefix(answer, []byte(`{"statusCode"`)) {
		return 0, string(answer)
	}
	var response struct {
		StatusCode int
		Body       string
	}
	if err := json.Unmarshal(answer, &response); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	return response.StatusCode, response.Body
}
