// Package debezium_test runs a consumer from a registration: the source of Debezium
// Server, configured by examples/debezium from the database object and its secret alone.
// It needs Maven and a Java runtime, so `make test` leaves it out.
package debezium_test

import (
	"context"
	"encoding/json"
	"fmt"
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

// environment returns the variables of examples/debezium/application.properties.
func environment(o object, password, offsets string) []string {
	sslmode := "disable"
	if o.SSL {
		sslmode = "require"
	}
	return append(os.Environ(),
		"DATABASE_NAME="+o.Name, "DATABASE_HOSTNAME="+o.Hostname, "DATABASE_PORT="+fmt.Sprint(o.Port),
		"DATABASE_DBNAME="+o.Database, "DATABASE_USERNAME="+o.Username, "DATABASE_PASSWORD="+password, "DATABASE_SSLMODE="+sslmode,
		"PUBLICATION_NAME="+o.ReplicationSlots[0].PublicationName, "SLOT_NAME="+o.ReplicationSlots[0].SlotName,
		"OFFSET_FILE="+offsets, "AWS_REGION=eu-west-1",
	)
}

func TestDebezium_FirstChange(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	s, err := machine.NewStack(ctx)
	if err != nil {
		t.Fatal(err)
	}
	source := pgserver.Source{Database: "shop", Username: "cdc", Password: `s3cret'"\ %$`, Publication: "orders_pub", Slot: "orders_slot"}
	if err := machine.Postgres.CreateSource(ctx, source); err != nil {
		t.Fatal(err)
	}
	o := register(t, s, machine.Payload("orders", source))

	root, err := localrun.RepositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	example, target := filepath.Join(root, "examples/debezium"), t.TempDir()
	maven := exec.Command("mvn", "-q", "-B", "compile", "dependency:copy-dependencies", "-DoutputDirectory="+target+"/lib")
	if err := copyExample(example, target); err != nil {
		t.Fatal(err)
	}
	maven.Dir = target
	if _, err := localrun.Run(ctx, maven); err != nil {
		t.Fatal(err)
	}
	// The slot keeps the row for the consumer, which starts later.
	if _, err := machine.Postgres.Exec(ctx, source.Database, "INSERT INTO "+pgserver.SourceTable+" VALUES (20260704)"); err != nil {
		t.Fatal(err)
	}
	consumer := exec.Command("java", "-cp", target+"/target/classes:"+target+"/lib/*", "Consume", filepath.Join(example, "application.properties"), "20260704")
	consumer.Env = environment(o, password(t, s, o.SecretARN), filepath.Join(target, "offsets"))
	out, err := localrun.Run(ctx, consumer)
	if err != nil || !strings.Contains(out, "orders.public."+pgserver.SourceTable+" ") || !strings.Contains(out, `"after":{"id":20260704}`) {
		t.Fatalf("error %v, changes %.2000s", err, out)
	}
}

// copyExample copies the Maven project, so that the repository stays as it is.
func copyExample(from, to string) error { return os.CopyFS(to, os.DirFS(from)) }
