package deployment

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/testkit/mototest"
	"github.com/headgate/headgate/internal/testkit/runtimeapi"
	"github.com/headgate/headgate/internal/vault"
)

// Stack is one deployment: a table, a prefix of secret names and an event bus. The
// bus has the table's name.
type Stack struct {
	*Machine
	Table, Prefix string
	// DeadLetters is the URL of the queue for changes that could not be published.
	DeadLetters string
	DynamoDB    *dynamodb.Client
	Secrets     *secretsmanager.Client
}

// NewStack creates a stack.
func (m *Machine) NewStack(ctx context.Context) (*Stack, error) {
	id := uuid.NewString()
	s := &Stack{
		Machine: m, Table: "table-" + id, Prefix: "prefix-" + id,
		DynamoDB: dynamodb.NewFromConfig(m.AWS.Config()), Secrets: secretsmanager.NewFromConfig(m.AWS.Config()),
	}
	if err := mototest.CreateTable(ctx, m.AWS.URL(), s.Table); err != nil {
		return nil, err
	}
	bus := eventbridge.NewFromConfig(m.AWS.Config())
	if _, err := bus.CreateEventBus(ctx, &eventbridge.CreateEventBusInput{Name: &s.Table}); err != nil {
		return nil, fmt.Errorf("create event bus: %w", err)
	}
	queue, err := sqs.NewFromConfig(m.AWS.Config()).CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(s.Table + "-dead-letters")})
	if err != nil {
		return nil, fmt.Errorf("create queue: %w", err)
	}
	s.DeadLetters = aws.ToString(queue.QueueUrl)
	return s, nil
}

// Env returns the variables of a function of the stack that finds AWS at endpoint.
func (s *Stack) Env(endpoint string) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + endpoint, "AWS_REGION=" + mototest.Region,
		"AWS_ACCESS_KEY_ID=" + mototest.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + mototest.SecretAccessKey,
		"TABLE_NAME=" + s.Table, "SECRET_PREFIX=" + s.Prefix, "EVENT_BUS_NAME=" + s.Table,
		"DEAD_LETTER_QUEUE_URL=" + s.DeadLetters,
		"EGRESS_ALLOW=127.0.0.0/8,::1/128", "AWS_LAMBDA_LOG_FORMAT=JSON",
	}
}

// Lookup returns a function that finds a variable's value in env, the last one if
// it is there more than once.
func Lookup(env []string) func(name string) string {
	return func(name string) (value string) {
		for _, variable := range env {
			if v, ok := strings.CutPrefix(variable, name+"="); ok {
				value = v
			}
		}
		return value
	}
}

// Start starts a program of the Machine. It needs a Stop.
func (m *Machine) Start(ctx context.Context, program string, env []string) (*runtimeapi.Function, error) {
	return runtimeapi.Start(ctx, runtimeapi.Config{Binary: m.Path(program), FunctionName: program, Env: env})
}

// Path returns the path of a program.
func (m *Machine) Path(program string) string { return filepath.Join(m.binaries, program) }

// Share creates a secret of somebody else's with the login of a payload, shared
// with the account. It returns the payload with a reference to the secret in
// place of the login.
func (s *Stack) Share(ctx context.Context, account, name string, payload map[string]any) (map[string]any, error) {
	secret, err := json.Marshal(map[string]any{
		"host": payload["hostname"], "port": payload["port"], "username": payload["username"], "password": payload["password"],
	})
	if err != nil {
		return nil, err
	}
	out, err := s.Secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: &name, SecretString: aws.String(string(secret)),
		Tags: []types.Tag{{Key: aws.String(vault.TagSharedWith), Value: aws.String(s.Prefix + "/" + account)}},
	})
	if err != nil {
		return nil, fmt.Errorf("create secret %s: %w", name, err)
	}
	shared := maps.Clone(payload)
	delete(shared, "username")
	delete(shared, "password")
	shared["password_secret_arn"] = *out.ARN
	return shared, nil
}
