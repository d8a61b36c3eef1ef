package vault_test

import (
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

// theirs creates a secret of another owner with one tag, and returns its ARN.
func theirs(t *testing.T, wire *faultwire.Wire, value, key, shared string) string {
	t.Helper()
	out, err := secretsmanager.NewFromConfig(wire.Config(moto.url)).CreateSecret(storetest.Context(t), &secretsmanager.CreateSecretInput{
		Name: aws.String("theirs-" + uuid.NewString()), SecretString: &value,
		Tags: []types.Tag{{Key: &key, Value: &shared}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.ARN
}

func TestReferences_SharedSecret(t *testing.T) {
	t.Parallel()
	wire := faultwire.New(t)
	arn := theirs(t, wire, rdsForm, vault.TagSharedWith, "acme")
	references := vault.Open(wire.Config(moto.url), vault.Config{}).References()
	got, err := references.Open(storetest.Context(t), "acme", arn)
	if err != nil || got != (database.Referenced{Username: "theirs", Password: "their-password", Host: "db.example.com", Port: 5433}) {
		t.Fatalf("opened %+v, %v", got, err)
	}
	rotated := `{"username":"theirs","password":"rotated","port":"5433"}`
	if _, err := secretsmanager.NewFromConfig(wire.Config(moto.url)).PutSecretValue(storetest.Context(t), &secretsmanager.PutSecretValueInput{SecretId: &arn, SecretString: &rotated}); err != nil {
		t.Fatal(err)
	}
	got, err = references.Open(storetest.Context(t), "acme", arn)
	if err != nil || got != (database.Referenced{Username: "theirs", Password: "rotated", Port: 5433}) {
		t.Errorf("opened %+v after a rotation, %v", got, err)
	}
}

func TestReferences_NotShared(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*testing.T, *faultwire.Wire) string{
		"shared with another account": func(t *testing.T, w *faultwire.Wire) string {
			return theirs(t, w, rdsForm, vault.TagSharedWith, "globex")
		},
		"another tag": func(t *testing.T, w *faultwire.Wire) string { return theirs(t, w, rdsForm, "owner", "acme") },
		"no such secret": func(*testing.T, *faultwire.Wire) string {
			return "arn:aws:secretsmanager:us-east-1:123456789012:secret:nothing-AbCdEf"
		},
	}
	for name, make := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire := faultwire.New(t)
			arn := make(t, wire)
			_, err := vault.Open(wire.Config(moto.url), vault.Config{}).References().Open(storetest.Context(t), "acme", arn)
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
	references := vault.Open(wire.Config(moto.url), vault.Config{}).References()
	for name, value := range map[string]string{
		"not JSON":          `hunter2`,
		"not an object":     `["hunter2"]`,
		"port out of range": `{"password":"hunter2","port":70000}`,
		"another engine":    `{"password":"hunter2","engine":"mysql"}`,
	} {
		arn := theirs(t, wire, value, vault.TagSharedWith, "acme")
		_, err := references.Open(storetest.Context(t), "acme", arn)
		if apierror.KindOf(err) != apierror.Invalid || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error of kind %v", name, apierror.KindOf(err))
		}
	}
}
