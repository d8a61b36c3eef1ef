package faults_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/mototest"
	"github.com/headgate/headgate/internal/sweep"
)

const (
	account                   = "acme"
	firstName, secondName     = "orders", "renamed"
	firstSecret, secondSecret = "first-pässword", "second-pässword"
)

// willing is a target that passes every check: the probe has tests of its own.
type willing struct{}

func (willing) Probe(context.Context, database.Target) database.Report {
	return database.Report{{Name: database.CheckConnection, Status: database.Passed}}
}

func (willing) Tables(context.Context, database.Target) (database.Tables, database.Report) {
	return database.Tables{}, nil
}

// stack is a deployment with a table and a prefix of its own, whose service has
// its stores behind a proxy; and the stores themselves.
type stack struct {
	table, prefix string
	proxy         *proxy
	ahead         atomic.Int64 // how far the clock was moved
	log           *tail

	// faulty has its stores behind the proxy, direct has not.
	faulty, direct *database.Service
	dynamo         *dynamodb.Client
	secrets        *secretsmanager.Client
}

func newStack(ctx context.Context) (*stack, error) {
	id := uuid.NewString()
	s := &stack{table: "table-" + id, prefix: "prefix-" + id, log: &tail{}}
	url := moto.URL()
	if err := mototest.CreateTable(ctx, url, s.table); err != nil {
		return nil, err
	}
	s.dynamo = dynamodb.New(dynamodb.Options{Region: mototest.Region, Credentials: mototest.Credentials(), BaseEndpoint: &url})
	s.secrets = secretsmanager.New(secretsmanager.Options{Region: mototest.Region, Credentials: mototest.Credentials(), BaseEndpoint: &url})
	var err error
	if s.proxy, err = newProxy(url); err != nil {
		return nil, err
	}
	if s.faulty, err = s.service(s.proxy.url()); err != nil {
		return nil, err
	}
	s.direct, err = s.service(url)
	return s, err
}

func (s *stack) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// env is the environment of a function that finds its stores at url.
func (s *stack) env(url string) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + url, "AWS_REGION=" + mototest.Region, "TABLE_NAME=" + s.table, "SECRET_PREFIX=" + s.prefix,
		"AWS_ACCESS_KEY_ID=" + mototest.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + mototest.SecretAccessKey,
		"EGRESS_ALLOW=127.0.0.0/8",
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

func (s *stack) service(url string) (*database.Service, error) {
	service, err := s.awsenv(url).Databases(slog.New(slog.NewTextHandler(s.log, nil)))
	if err != nil {
		return nil, err
	}
	service.Prober, service.Now = willing{}, s.now
	return service, nil
}

// sweep runs the sweeper two hours later.
func (s *stack) sweep(ctx context.Context) (sweep.Report, error) {
	sweeper, err := s.awsenv(moto.URL()).Sweeper(slog.New(slog.NewTextHandler(s.log, nil)))
	if err != nil {
		return sweep.Report{}, err
	}
	s.ahead.Add(int64(2 * time.Hour))
	sweeper.Now = s.now
	return sweeper.Sweep(ctx)
}
