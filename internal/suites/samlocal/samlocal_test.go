// Package samlocal_test invokes the functions with every event of events/ by `sam
// local invoke`: in containers, against moto and Postgres. It runs by `make
// sam-local`, which builds the functions.
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

// hostName is this machine's name in a container. localhost is the container itself.
const hostName = "host.docker.internal"

// invokeTimeout includes the start of a container, which takes some seconds.
const invokeTimeout = 2 * time.Minute

// step is one invocation and the expected response.
type step struct {
	function, event string
	// status is the HTTP status, or 0 for a function without one.
	status int
	// want is part of the response.
	want string
}

// steps returns the invocations in an order in which each one can succeed.
func steps() []step {
	return []step{
		{"DescribeApiFunction", "describe-api", 200, `"openapi":"3.1.0"`},
		{"NotFoundFunction", "not-found", 404, `no such route`},
		{"CreateApiKeyFunction", "create-api-key", 0, `"account_id":"local"`},
		{"AuthorizeRequestFunction", "authorize-request", 0, `"errorMessage":"Unauthorized"`},
		{"ListApiKeysFunction", "list-api-keys", 0, `"scopes":["read","write","reveal"]`},
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
		{"PublishChangesFunction", "publish-changes", 0, `{"batchItemFailures":[]}`},
		{"ScheduleChecksFunction", "schedule-checks", 0, `{"queued":2}`},
		{"CheckDatabaseFunction", "check-database", 0, `{"batchItemFailures":`},
		{"ProvisionResourceFunction", "provision-resource", 0, `send answer`},
		{"SweepSecretsFunction", "sweep-secrets", 0, `{"seen":2,"orphans":0,"scheduled":0,"slots_dropped":0}`},
	}
}

// sandbox has what `sam local invoke` needs.
type sandbox struct {
	sam, root, architecture string
	engine                  *engine
	// secret is the ARN of a secret that holds the target's password.
	secret string
}

func TestSAMLocal_Events(t *testing.T) {
	s := newSandbox(t)
	for _, step := range steps() {
		t.Run(step.event, func(t *testing.T) {
			began := time.Now()
			response, _ := s.invoke(t, step.function, s.event(t, step.event))
			status, body := read(t, response)
			if status != step.status || !strings.Contains(body, step.want) {
				t.Errorf("response %d %s, want %d with %s", status, body, step.status, step.want)
			}
			t.Logf("%s: status %d in %.1f s", step.function, status, time.Since(began).Seconds())
		})
	}
	t.Run("a new key is authorized until it is revoked", s.testKey)
	t.Run("an event with a shared secret creates a database", s.testProvision)
}

// testKey creates, uses and revokes a key. The key and the ID in events/ do not
// exist.
func (s *sandbox) testKey(t *testing.T) {
	response, _ := s.invoke(t, "CreateApiKeyFunction", s.event(t, "create-api-key"))
	var created struct {
		APIKey string `json:"api_key"`
		ID     string
	}
	if err := json.Unmarshal(response, &created); err != nil {
		t.Fatal(err)
	}
	request := s.event(t, "authorize-request", "hg_"+strings.Repeat("0", 43), created.APIKey)
	if response, _ := s.invoke(t, "AuthorizeRequestFunction", request); !strings.Contains(string(response), `"principalId":"local"`) {
		t.Error("the key is not authorized")
	}
	revocation := s.event(t, "revoke-api-key", "0123456789abcdef", created.ID)
	if response, _ := s.invoke(t, "RevokeApiKeyFunction", revocation); string(response) != `{"revoked":true}` {
		t.Errorf("response to the revocation %s", response)
	}
	if response, _ := s.invoke(t, "AuthorizeRequestFunction", request); !strings.Contains(string(response), `"Unauthorized"`) {
		t.Error("the revoked key is authorized")
	}
}

// testProvision sends an event whose secret does not exist, and the same event with
// one that does: a rejected event's ID can be used again.
func (s *sandbox) testProvision(t *testing.T) {
	const function, missing = "ProvisionDatabaseFunction", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:headgate-sample-AbCdEf"
	if response, log := s.invoke(t, function, s.event(t, "provision-database")); string(response) != "null" || !strings.Contains(log, `"outcome":"rejected"`) {
		t.Errorf("response without the secret %s\n%s", response, log)
	}
	request := s.event(t, "provision-database", missing, s.secret)
	if response, log := s.invoke(t, function, request); string(response) != "null" || !strings.Contains(log, `"outcome":"created"`) {
		t.Errorf("response with the secret %s\n%s", response, log)
	}
}

func TestSAMLocal_AllEventsAreUsed(t *testing.T) {
	t.Parallel()
	root, err := localrun.RepositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "events", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	// The environment file, and the event of testProvision.
	used := []string{"env", "provision-database"}
	for _, step := range steps() {
		used = append(used, step.event)
	}
	for _, file := range files {
		if !slices.Contains(used, strings.TrimSuffix(filepath.Base(file), ".json")) {
			t.Errorf("no step uses %s", file)
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
	requireProgram(t, "busybox", "busybox-static")
	s.engine = startEngine(t)
	s.engine.importImage(t)
	host := hostAddress(t)
	primary, standby := startSources(t)
	expose(t, host, postgresPort, loopback(primary.Port()))
	expose(t, host, standbyPort, loopback(standby.Port()))
	aws, secret := startAWS(t)
	s.secret = secret
	expose(t, host, motoPort, aws.Host)
	return s
}

// invoke runs `sam local invoke`. It returns the function's response as compact JSON,
// and the log of SAM and the function.
func (s *sandbox) invoke(t *testing.T, function, event string) (response []byte, log string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), invokeTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.sam, "local", "invoke", function, "--event", "-",
		"--template", filepath.Join(s.root, ".cache/samlocal/template.yaml"),
		"--env-vars", s.file("env"),
		"--parameter-overrides", "Architecture="+s.architecture,
		"--region", mototest.Region,
		"--add-host", hostName+":host-gateway",
		"--skip-pull-image", "--invoke-image", image+":"+imageTag)
	cmd.Dir = s.root
	cmd.Env = append(os.Environ(), "DOCKER_HOST=unix://"+s.engine.socket, "SAM_CLI_TELEMETRY=0",
		"AWS_ACCESS_KEY_ID="+mototest.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+mototest.SecretAccessKey)
	var stdout, stderr, compact bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(event), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	if err := json.Compact(&compact, stdout.Bytes()); err != nil {
		t.Fatalf("%v: %s\n%s", err, stdout.String(), stderr.String())
	}
	return compact.Bytes(), stderr.String()
}

// file returns the path of a file of events/.
func (s *sandbox) file(name string) string { return filepath.Join(s.root, "events", name+".json") }

// event returns an event of events/ for a container, with values replaced: each old one
// is followed by the new one.
func (s *sandbox) event(t *testing.T, name string, oldNew ...string) string {
	t.Helper()
	text, err := os.ReadFile(s.file(name))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(oldNew); i += 2 {
		if !bytes.Contains(text, []byte(oldNew[i])) {
			t.Fatalf("%s does not contain %s", name, oldNew[i])
		}
	}
	return strings.NewReplacer(append(oldNew, "localhost", hostName)...).Replace(string(text))
}

// read returns the status and the body of an HTTP response, and 0 and everything of
// another one.
func read(t *testing.T, response []byte) (int, string) {
	t.Helper()
	if !bytes.HasPrefix(response, []byte(`{"statusCode"`)) {
		return 0, string(response)
	}
	var decoded struct {
		StatusCode int
		Body       string
	}
	if err := json.Unmarshal(response, &decoded); err != nil {
		t.Fatalf("%v: %s", err, response)
	}
	return decoded.StatusCode, decoded.Body
}
