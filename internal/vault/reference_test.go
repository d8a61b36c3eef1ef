package vault_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/faultwire"
	"github.com/headgate/headgate/internal/testkit/storetest"
	"github.com/headgate/headgate/internal/vault"
)

const rdsForm = `{"engine":"postgres","host":"db.example.com","port":5433,"username":"theirs","password":"their-password","dbname":"d"}`

// stack is the prefix of the deployment.
const stack = "stack"

func references(wire *faultwire.Wire) *vault.References {
	return vault.Open(wire.Config(moto.url), vault.Config{Prefix: stack}).References()
}

// theirs creates a secret of another owner with tags, which are keys and values, and
// returns its ARN.
func theirs(t *testing.T, wire *faultwire.Wire, value string, tags ...string) string {
	t.Helper()
	var all []types.Tag
	for pair := range slices.Chunk(tags, 2) {
		all = append(all, types.Tag{Key: &pair[0], Value: &pair[1]})
	}
	out, err := secretsmanager.NewFromConfig(wire.Config(moto.url)).CreateSecret(storetest.Context(t), &secretsmanager.CreateSecretInput{
		Name: aws.String("theirs-" + uuid.NewString()), SecretString: &value,
		Tags: all,
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.ARN
}

func TestReferences_SharedSecret(t *testing.T) {
	t.Parallel()
	wire := faultwire.New(t)
	arn := theirs(t, wire, rdsForm, vault.TagSharedWith, "stack/acme")
	references := references(wire)
	got, err := references.Open(storetest.Context(t), "acme", arn)
	if err != nil || got != (database.Referenced{Username: "theirs", Password: "their-password", Host: "db.example.com", Port: 5433}) {
		t.Fatalf("opened %+v, %v", got, err)
	}
	rotated := `{"username":"theirs","password":"rotated","host":"db.example.com","port":"5433"}`
	if _, err := secretsmanager.NewFromConfig(wire.Config(moto.url)).PutSecretValue(storetest.Context(t), &secretsmanager.PutSecretValueInput{SecretId: &arn, SecretString: &rotated}); err != nil {
		t.Fatal(err)
	}
	got, err = references.Open(storetest.Context(t), "acme", arn)
	if err != nil || got != (database.Referenced{Username: "theirs", Password: "rotated", Host: "db.example.com", Port: 5433}) {
		t.Errorf("opened %+v after a rotation, %v", got, err)
	}
}

func TestSafety_HostOfTheOwner(t *testing.T) {
	t.Parallel()
	wire := faultwire.New(t)
	const managed = `{"username":"theirs","password":"their-password"}`
	for _, tt := range []struct {
		value, tag, host string
		port             int
	}{
		{managed, "db.example.com", "db.example.com", 5432},
		{managed, "db.example.com:5433", "db.example.com", 5433},
		{managed, "10.0.0.7:5433", "10.0.0.7", 5433},
		{managed, "2600::1", "2600::1", 5432},
		{managed, "[2600::1]:5433", "2600::1", 5433},
		{`{"password":"their-password","port":5433}`, "db.example.com", "db.example.com", 5433},
		{`{"password":"their-password","host":"db.example.com"}`, "", "db.example.com", 5432},
		{`{"password":"their-password","host":"db.example.com","port":5433}`, "other.example.com:1", "db.example.com", 5433},
		{managed, "", "", 0},
		{managed, ":5432", "", 0},
		{managed, "db.example.com:", "", 0},
		{managed, "db.example.com:x", "", 0},
		{managed, "db.example.com:0", "", 0},
		{managed, "db.example.com:70000", "", 0},
	} {
		arn := theirs(t, wire, tt.value, vault.TagSharedWith, "stack/acme", vault.TagHost, tt.tag)
		got, err := references(wire).Open(storetest.Context(t), "acme", arn)
		if got.Host != tt.host || got.Port != tt.port || (err == nil) != (tt.host != "") {
			t.Errorf("%s with the tag %q: %s %d, %v", tt.value, tt.tag, got.Host, got.Port, err)
		}
		if tt.host == "" && (apierror.KindOf(err) != apierror.Invalid || got.Password != "") {
			t.Errorf("with the tag %q: %v", tt.tag, err)
		}
	}
}

// TestSafety_SecretUnderAnotherKey has Secrets Manager's answer where the role may not
// use the secret's KMS key.
func TestSafety_SecretUnderAnotherKey(t *testing.T) {
	t.Parallel()
	wire := faultwire.New(t)
	arn := theirs(t, wire, rdsForm, vault.TagSharedWith, "stack/acme")
	wire.Script("GetSecretValue", refusal("AccessDeniedException"))
	_, err := references(wire).Open(storetest.Context(t), "acme", arn)
	e, ok := errors.AsType[*apierror.Error](err)
	if !ok || e.Kind != apierror.Invalid || !strings.Contains(e.Summary, "SharedSecretKeyArns") {
		t.Errorf("error %v", err)
	}
}

func TestReferences_NotShared(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*testing.T, *faultwire.Wire) string{
		"shared with another account": func(t *testing.T, w *faultwire.Wire) string {
			return theirs(t, w, rdsForm, vault.TagSharedWith, "stack/globex")
		},
		"another tag": func(t *testing.T, w *faultwire.Wire) string { return theirs(t, w, rdsForm, "owner", "stack/acme") },
		"the account alone": func(t *testing.T, w *faultwire.Wire) string {
			return theirs(t, w, rdsForm, vault.TagSharedWith, "acme")
		},
		"another stack": func(t *testing.T, w *faultwire.Wire) string {
			return theirs(t, w, rdsForm, vault.TagSharedWith, "other/acme")
		},
		"no such secret": func(*testing.T, *faultwire.Wire) string {
			return "arn:aws:secretsmanager:us-east-1:123456789012:secret:nothing-AbCdEf"
		},
	}
	for name, make := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire := faultwire.New(t)
			arn := make(t, wire)
			_, err := references(wire).Open(storetest.Context(t), "acme", arn)
			if apierror.KindOf(err) != apierror.NotFound {
				t.Errorf("error %v", err)
			}
			if n := len(wire.Requests("GetSecretValue")); n != 0 {
				t.Errorf("%d requests for its value, want none", n)
			}
		})
	}
}

func TestReferences_MalformedSecret(t *testing.T) {
	t.Parallel()
	wire := faultwire.New(t)
	references := references(wire)
	for name, value := range map[string]string{
		"not JSON":          `hunter2`,
		"not an object":     `["hunter2"]`,
		"port out of range": `{"password":"hunter2","host":"h","port":70000}`,
		"another engine":    `{"password":"hunter2","engine":"mysql"}`,
	} {
		arn := theirs(t, wire, value, vault.TagSharedWith, "stack/acme")
		_, err := references.Open(storetest.Context(t), "acme", arn)
		if apierror.KindOf(err) != apierror.Invalid || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error of kind %v", name, apierror.KindOf(err))
		}
	}
}
