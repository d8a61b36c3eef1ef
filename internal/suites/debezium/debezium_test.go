// Package debezium_test runs a consumer from a registration: the source of Debezium
// Server, configured by examples/debezium from the database object and its secret alone.
// It needs Maven and a Java runtime, so `make test` leaves it out.
package debezium_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/headgate/headgate/internal/testkit/deployment"
	"github.com/headgate/headgate/internal/testkit/gateway"
	"github.com/headgate/headgate/internal/testkit/localrun"
	"github.com/headgate/headgate/internal/testkit/pgserver"
)

const timeout = 5 * time.Minute

var machine *deployment.Machine

func TestMain(m *testing.M) {
	os.Exit(deployment.Main(m, pgserver.Options{}, func(m *deployment.Machine) { machine = m }))
}

// object is what a consumer needs of the database object.
type object struct {
	Name, Hostname, Database, Username string
	Port                               int
	SSL                                bool
	SSLMode                            string `json:"ssl_mode"`
	SSLRootCert                        string `json:"ssl_root_cert"`
	SecretARN                          string `json:"secret_arn"`
	ReplicationSlots                   []struct {
		PublicationName string `json:"publication_name"`
		SlotName        string `json:"slot_name"`
	} `json:"replication_slots"`
}

// register registers a source and returns the object.
func register(t *testing.T, s *deployment.Stack, payload map[string]any) object {
	t.Helper()
	body, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	function, event, err := gateway.Event(gateway.Request{Method: "POST", Target: gateway.Collection, Account: "acme", Body: body})
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Start(t.Context(), function, s.Env(machine.AWS.URL()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Stop()
	request, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	result, err := f.Invoke(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	var response events.APIGatewayProxyResponse
	var o object
	if err := json.Unmarshal(result.Payload, &response); err != nil || response.StatusCode != 201 {
		t.Fatalf("status %d: %s (%v)", response.StatusCode, response.Body, err)
	}
	if err := json.Unmarshal([]byte(response.Body), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// password returns the password in the database's secret, as ECS sets it for a task.
func password(t *testing.T, s *deployment.Stack, arn string) string {
	t.Helper()
	out, err := s.Secrets.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		t.Fatal(err)
	}
	var secret struct{ Password string }
	if err := json.Unmarshal([]byte(aws.ToString(out.SecretString)), &secret); err != nil {
		t.Fatal("the secret is not JSON")
	}
	return secret.Password
}

// environment returns the variables of examples/debezium/application.properties, with
// files in a directory.
func environment(t *testing.T, o object, password, directory string) []string {
	t.Helper()
	sslmode := "disable"
	switch {
	case o.SSLMode != "":
		sslmode = o.SSLMode
	case o.SSL:
		sslmode = "require"
	}
	authorities := filepath.Join(directory, "root.crt")
	if err := os.WriteFile(authorities, []byte(o.SSLRootCert), 0o600); err != nil {
		t.Fatal(err)
	}
	return append(os.Environ(),
		"DATABASE_NAME="+o.Name, "DATABASE_HOSTNAME="+o.Hostname, "DATABASE_PORT="+fmt.Sprint(o.Port),
		"DATABASE_DBNAME="+o.Database, "DATABASE_USERNAME="+o.Username, "DATABASE_PASSWORD="+password,
		"DATABASE_SSLMODE="+sslmode, "DATABASE_SSLROOTCERT="+authorities,
		"PUBLICATION_NAME="+o.ReplicationSlots[0].PublicationName, "SLOT_NAME="+o.ReplicationSlots[0].SlotName,
		"OFFSET_FILE="+filepath.Join(directory, "offsets"), "AWS_REGION=eu-west-1",
	)
}

func TestDebezium_FirstChange(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	t.Cleanup(cancel)
	s, err := machine.NewStack(ctx)
	if err != nil {
		t.Fatal(err)
	}
	program := build(ctx, t)
	for name, fields := range map[string]map[string]any{
		"require":     nil,
		"verify_full": {"ssl_mode": "verify-full", "ssl_root_cert": string(machine.Postgres.RootCertPEM())},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := pgserver.Source{
				Database: "shop_" + name, Username: "cdc_" + name, Password: `s3cret'"\ %$`,
				Publication: "orders_pub_" + name, Slot: "orders_slot_" + name,
			}
			if err := machine.Postgres.CreateSource(ctx, source); err != nil {
				t.Fatal(err)
			}
			payload := machine.Payload("orders_"+name, source)
			maps.Copy(payload, fields)
			o := register(t, s, payload)
			// The slot keeps the row for the consumer, which starts later.
			if _, err := machine.Postgres.Exec(ctx, source.Database, "INSERT INTO "+pgserver.SourceTable+" VALUES (20260704)"); err != nil {
				t.Fatal(err)
			}
			consumer := exec.Command("java", "-cp", program+"/target/classes:"+program+"/lib/*", "Consume", program+"/application.properties", "20260704")
			consumer.Env = environment(t, o, password(t, s, o.SecretARN), t.TempDir())
			out, err := localrun.Run(ctx, consumer)
			if err != nil || !strings.Contains(out, o.Name+".public."+pgserver.SourceTable+" ") || !strings.Contains(out, `"after":{"id":20260704}`) {
				t.Fatalf("error %v, changes %.2000s", err, out)
			}
		})
	}
}

// build returns the directory of a copy of examples/debezium with its program, so that
// the repository stays as it is.
func build(ctx context.Context, t *testing.T) string {
	t.Helper()
	root, err := localrun.RepositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	target := t.TempDir()
	if err := os.CopyFS(target, os.DirFS(filepath.Join(root, "examples/debezium"))); err != nil {
		t.Fatal(err)
	}
	maven := exec.Command("mvn", "-q", "-B", "compile", "dependency:copy-dependencies", "-DoutputDirectory="+target+"/lib")
	maven.Dir = target
	if _, err := localrun.Run(ctx, maven); err != nil {
		t.Fatal(err)
	}
	return target
}
