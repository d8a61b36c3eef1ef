package awsenv_test

import (
	"encoding/pem"
	"log/slog"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/awsenv/checks"
	"github.com/headgate/headgate/internal/awsenv/schedule"
	"github.com/headgate/headgate/internal/awsenv/sweeper"
	"github.com/headgate/headgate/internal/awsenv/targets"
)

func good() map[string]string {
	return map[string]string{
		"TABLE_NAME": "headgate", "SECRET_PREFIX": "headgate/prod", "AWS_REGION": "eu-west-1",
		"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret-word",
	}
}

func databases(vars map[string]string) error {
	_, err := targets.Open(awsenv.New(func(name string) string { return vars[name] }), slog.New(slog.DiscardHandler))
	return err
}

func TestOpen_ValidEnvironment(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]map[string]string{
		"required variables": {},
		"optional variables": {"SECRET_KMS_KEY_ID": "k", "EGRESS_ALLOW": "10.0.0.0/8, fd00::/8", "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"},
		"endpoints":          {"AWS_ENDPOINT_URL": "http://localhost:1", "AWS_ENDPOINT_URL_DYNAMODB": "https://localhost:2/"},
		"AWS_DEFAULT_REGION": {"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-1"},
		"prefix of one word": {"SECRET_PREFIX": "headgate"},
		"session token":      {"AWS_SESSION_TOKEN": "t"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vars := good()
			maps.Copy(vars, change)
			if err := databases(vars); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOpen_InvalidVariable(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	writePEM(t, empty, pem.Block{Type: "PRIVATE KEY"})
	tests := []struct{ name, value string }{
		{"TABLE_NAME", ""},
		{"TABLE_NAME", "a b"},
		{"TABLE_NAME", "ab"},
		{"SECRET_PREFIX", ""},
		{"SECRET_PREFIX", "/headgate"},
		{"SECRET_PREFIX", "head gate"},
		{"AWS_REGION", ""},
		{"AWS_ACCESS_KEY_ID", ""},
		{"AWS_SECRET_ACCESS_KEY", ""},
		{"EGRESS_ALLOW", "10.0.0.0/99"},
		{"EGRESS_ALLOW", "everything"},
		{"AWS_ENDPOINT_URL", "localhost:4566"},
		{"AWS_ENDPOINT_URL_DYNAMODB", "ftp://localhost"},
		{"AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://"},
		{"AWS_CA_BUNDLE", "/nowhere.pem"},
		{"AWS_CA_BUNDLE", empty},
	}
	for _, tt := range tests {
		t.Run(tt.name+"="+filepath.Base(tt.value), func(t *testing.T) {
			t.Parallel()
			vars := good()
			vars[tt.name] = tt.value
			err := databases(vars)
			if err == nil || !strings.Contains(err.Error(), tt.name) {
				t.Fatalf("error %v does not name the variable", err)
			}
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "secret-word") {
				t.Errorf("error %q is not one line without secrets", err)
			}
		})
	}
}

// Every linked client is initialised at each cold start.
func TestFunctions_LinkedClients(t *testing.T) {
	t.Parallel()
	const (
		dynamoDB, secretsManager = "aws-sdk-go-v2/service/dynamodb", "aws-sdk-go-v2/service/secretsmanager"
		eventBridge, postgres    = "aws-sdk-go-v2/service/eventbridge", "jackc/pgx/v5/pgconn"
		sqs                      = "aws-sdk-go-v2/service/sqs"
	)
	all := []string{dynamoDB, secretsManager, eventBridge, postgres, sqs}
	links := map[string][]string{
		"create-database": {dynamoDB, secretsManager, postgres}, "update-database": {dynamoDB, secretsManager, postgres},
		"test-database": {dynamoDB, secretsManager, postgres}, "refresh-tables": {dynamoDB, secretsManager, postgres},
		"provision-database": {dynamoDB, secretsManager, eventBridge, postgres},
		"provision-resource": {dynamoDB, secretsManager, postgres},
		"publish-changes":    {dynamoDB, eventBridge, sqs},
		"check-database":     {dynamoDB, secretsManager, postgres}, "schedule-checks": {dynamoDB, sqs},
		"get-database": {dynamoDB, secretsManager}, "list-databases": {dynamoDB, secretsManager},
		"delete-database": {dynamoDB, secretsManager, postgres}, "sweep-secrets": {dynamoDB, secretsManager, postgres},
		"authorize-request": {dynamoDB}, "create-api-key": {dynamoDB}, "list-api-keys": {dynamoDB}, "revoke-api-key": {dynamoDB},
		"describe-api": nil, "not-found": nil,
	}
	mains, err := filepath.Glob("../../functions/*/main.go")
	if err != nil || len(mains) != len(links) {
		t.Fatalf("%d functions, want %d (%v)", len(mains), len(links), err)
	}
	for function, want := range links {
		out, err := exec.Command("go", "list", "-deps", "../../functions/"+function).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, pkg := range all {
			if linked := strings.Contains(string(out), pkg+"\n"); linked != slices.Contains(want, pkg) {
				t.Errorf("%s links %s: %v", function, pkg, linked)
			}
		}
	}
}

func TestSweeper_Age(t *testing.T) {
	t.Parallel()
	for age, want := range map[string]time.Duration{"": time.Hour, "15m": 15 * time.Minute, "36h": 36 * time.Hour, "14m59s": 0, "900": 0, "x": 0, "-1h": 0} {
		vars := good()
		vars["SWEEP_AGE"] = age
		s, err := sweeper.Open(awsenv.New(func(name string) string { return vars[name] }), slog.New(slog.DiscardHandler))
		switch {
		case want == 0 && (err == nil || !strings.Contains(err.Error(), "SWEEP_AGE")):
			t.Errorf("%q: error %v does not name the variable", age, err)
		case want != 0 && (err != nil || s.Age != want):
			t.Errorf("%q: %v, error %v, want %s", age, s, err, want)
		}
	}
}

func TestChecks_Variables(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, value string
		open        func(*awsenv.Env) error
	}{
		{"HEALTH_RETAINED_MB", "0", openChecks},
		{"HEALTH_RETAINED_MB", "1 GB", openChecks},
		{"HEALTH_SAFE_PERCENT", "-1", openChecks},
		{"HEALTH_SAFE_PERCENT", "101", openChecks},
		{"HEALTH_DATABASE_METRICS", "yes", openChecks},
		{"CHECK_QUEUE_URL", "", openSchedule},
		{"CHECK_QUEUE_URL", "checks", openSchedule},
	} {
		vars := good()
		vars["CHECK_QUEUE_URL"] = "https://sqs.eu-west-1.amazonaws.com/123456789012/checks"
		if err := tt.open(env(vars)); err != nil {
			t.Errorf("the defaults are refused: %v", err)
		}
		vars[tt.name] = tt.value
		if err := tt.open(env(vars)); err == nil || !strings.Contains(err.Error(), tt.name) {
			t.Errorf("%s=%s: error %v", tt.name, tt.value, err)
		}
	}
}

func env(vars map[string]string) *awsenv.Env {
	return awsenv.New(func(name string) string { return vars[name] })
}

func openChecks(e *awsenv.Env) error {
	_, err := checks.Open(e, slog.New(slog.DiscardHandler))
	return err
}

func openSchedule(e *awsenv.Env) error {
	_, err := schedule.Open(e, slog.New(slog.DiscardHandler))
	return err
}
