package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/awsenv/sweeper"
	"github.com/headgate/headgate/internal/awsenv/targets"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/provision"
	"github.com/headgate/headgate/internal/sweep"
	"github.com/headgate/headgate/internal/testkit/localrun"
	"github.com/headgate/headgate/internal/testkit/mototest"
	"github.com/headgate/headgate/internal/vault"
)

const (
	account                   = "acme"
	firstName, secondName     = "orders", "renamed"
	firstSecret, secondSecret = "first-pässword", "second-pässword"
	firstUser, secondUser     = "cdc", "cdc_next"
)

// entry is how requests and events come in.
type entry struct {
	*database.Service
	events *provision.Handler
}

// willing is a target that passes every check, where the fault is a store's.
type willing struct{}

func (willing) Probe(context.Context, database.Target) check.Report {
	return check.Report{{Name: check.Connection, Status: check.Passed}}
}

func (willing) RefreshTables(context.Context, database.Target) (database.Tables, check.Report) {
	return database.Tables{}, nil
}

// stack is a deployment with a table and a prefix of its own, whose service has
// its stores behind a proxy; and the stores themselves.
type stack struct {
	table, prefix string
	proxy         *proxy
	target        *target        // between the probe and Postgres, nil where all targets are willing
	plain         map[string]any // a create's payload
	ahead         atomic.Int64   // how far the clock was moved
	log           *localrun.Output

	// faulty has its stores behind the proxy, direct has not.
	faulty, direct entry
	dynamo         *dynamodb.Client
	secrets        *secretsmanager.Client
}

func newStack(ctx context.Context, onTarget bool) (*stack, error) {
	id := uuid.NewString()
	s := &stack{table: "table-" + id, prefix: "prefix-" + id}
	if err := mototest.CreateTable(ctx, moto.URL(), s.table); err != nil {
		return nil, err
	}
	if err := s.open(onTarget); err != nil {
		return nil, err
	}
	return s, s.createBus(ctx)
}

// open makes the proxies, and what has its stores and its target behind them.
func (s *stack) open(onTarget bool) error {
	s.log = &localrun.Output{}
	url := moto.URL()
	s.dynamo, s.secrets = dynamodb.NewFromConfig(moto.Config()), secretsmanager.NewFromConfig(moto.Config())
	var err error
	if s.proxy, err = newProxy(url, s.prefix); err != nil {
		return err
	}
	if onTarget {
		if s.target, err = newTarget(postgres.Port()); err != nil {
			return errors.Join(err, s.close())
		}
	}
	if s.faulty, err = s.service(s.proxy.url()); err == nil {
		s.direct, err = s.service(url)
	}
	if err != nil {
		return errors.Join(err, s.close())
	}
	return nil
}

// createBus makes the bus that the answers to events go to.
func (s *stack) createBus(ctx context.Context) error {
	_, err := eventbridge.NewFromConfig(moto.Config()).CreateEventBus(ctx, &eventbridge.CreateEventBusInput{Name: &s.table})
	return err
}

func (s *stack) close() error {
	s.proxy.close()
	if s.target == nil {
		return nil
	}
	return s.target.close()
}

// broken is what has the fault.
func (s *stack) broken() breakable {
	if s.target != nil {
		return s.target
	}
	return s.proxy
}

// breakable is what has a fault.
type breakable interface {
	// arm has f happen, counted from now.
	arm(f fault)
	// disarm lets everything pass from now on, and says how many requests met the
	// fault.
	disarm() int
	// holding is closed when a request is held for a kill.
	holding() <-chan struct{}
}

// share makes a secret of somebody else's, shared with the account, for p to
// name in place of a password.
func (s *stack) share(ctx context.Context, p map[string]any) (map[string]any, error) {
	return s.shareAs(ctx, s.theirs(), p)
}

func (s *stack) shareAs(ctx context.Context, name string, p map[string]any) (map[string]any, error) {
	secret, err := json.Marshal(map[string]any{"username": p["username"], "password": p["password"]})
	if err != nil {
		return nil, err
	}
	out, err := s.secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: &name, SecretString: aws.String(string(secret)),
		Tags: []smtypes.Tag{{Key: aws.String(vault.TagSharedWith), Value: aws.String(account)}},
	})
	if err != nil {
		return nil, err
	}
	shared := maps.Clone(p)
	delete(shared, "username")
	delete(shared, "password")
	shared["account_id"], shared["password_secret_arn"] = account, *out.ARN
	return shared, nil
}

// theirs is the name of the secret that is not ours.
func (s *stack) theirs() string { return "theirs-" + s.table }

func (s *stack) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// env is the environment of a function that finds its stores at url.
func (s *stack) env(url string) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + url, "AWS_REGION=" + mototest.Region, "TABLE_NAME=" + s.table, "SECRET_PREFIX=" + s.prefix,
		"AWS_ACCESS_KEY_ID=" + mototest.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + mototest.SecretAccessKey,
		"EGRESS_ALLOW=127.0.0.0/8", "EVENT_BUS_NAME=" + s.table, "AWS_ENDPOINT_URL_EVENTBRIDGE=" + s.proxy.url(),
	}
}

func (s *stack) awsenv(url string) *awsenv.Env {
	return awsenv.New(func(name string) string {
		for _, variable := range s.env(url) {
			if value, ok := strings.CutPrefix(variable, name+"="); ok {
				return value
			}
		}
		return ""
	})
}

// service has its stores at url. The bus is always behind the proxy, which hears
// what is put on it.
func (s *stack) service(url string) (entry, error) {
	log, env := slog.New(slog.NewTextHandler(s.log, nil)), s.awsenv(url)
	service, err := targets.Open(env, log)
	if err != nil {
		return entry{}, err
	}
	if service.Now = s.now; s.target == nil {
		service.Prober = willing{}
	}
	config, bus, err := env.Bus()
	return entry{service, &provision.Handler{Service: service, Bus: provision.OpenBus(config, bus), Log: log}}, err
}

// sweep runs the sweeper two hours later.
func (s *stack) sweep(ctx context.Context) (sweep.Report, error) {
	s.ahead.Add(int64(2 * time.Hour))
	return s.sweepAhead(ctx, 0)
}

// sweepAhead runs the sweeper with its clock so much ahead of the stack's.
func (s *stack) sweepAhead(ctx context.Context, ahead time.Duration) (sweep.Report, error) {
	service, err := sweeper.Open(s.awsenv(s.proxy.url()), slog.New(slog.NewTextHandler(s.log, nil)))
	if err != nil {
		return sweep.Report{}, err
	}
	service.Now = func() time.Time { return s.now().Add(ahead) }
	return service.Sweep(ctx)
}
