package faults_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/awsenv/sweeper"
	"github.com/headgate/headgate/internal/awsenv/targets"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/eventbus"
	"github.com/headgate/headgate/internal/provision"
	"github.com/headgate/headgate/internal/sweep"
	"github.com/headgate/headgate/internal/testkit/deployment"
	"github.com/headgate/headgate/internal/testkit/localrun"
	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

// stack is a deployment whose requests to AWS and connections to the target can
// have faults.
type stack struct {
	*deployment.Stack
	proxy  *proxy
	target *target        // nil if every target passes
	plain  map[string]any // the payload of a create with a password
	ahead  atomic.Int64   // how far the clock is ahead
	log    *localrun.Output

	// faulty uses AWS through the proxy, direct does not.
	faulty, direct entry
}

// entry handles requests and events.
type entry struct {
	*database.Service
	events *provision.Handler
}

// passingProber is a target that passes every check, for faults of AWS.
type passingProber struct{}

func (passingProber) Probe(context.Context, database.Target) database.Examination {
	return database.Examination{Report: check.Report{{Name: check.Connection, Status: check.Passed}}}
}

func (passingProber) RefreshTables(context.Context, database.Target, func(database.Table) bool) database.Examination {
	return database.Examination{}
}

// faultPoint is where a fault is injected.
type faultPoint interface {
	// arm injects the fault, counting requests from now on.
	arm(f fault)
	// disarm removes the fault and returns how many requests met it.
	disarm() int
	// held is closed when a request is held until the function is killed.
	held() <-chan struct{}
}

// newStack creates a deployment. realTarget puts a target in front of Postgres.
func newStack(ctx context.Context, realTarget bool) (*stack, error) {
	deployed, err := machine.NewStack(ctx)
	if err != nil {
		return nil, err
	}
	return openStack(deployed, realTarget)
}

// openStack opens a deployment with its own proxies.
func openStack(deployed *deployment.Stack, realTarget bool) (*stack, error) {
	s := &stack{Stack: deployed, log: &localrun.Output{}}
	if err := s.open(realTarget); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *stack) open(realTarget bool) (err error) {
	if s.proxy, err = newProxy(machine.AWS.URL(), s.Prefix); err != nil {
		return err
	}
	if realTarget {
		if s.target, err = newTarget(machine.Postgres.Port()); err != nil {
			return err
		}
	}
	if s.faulty, err = s.entry(s.proxy.url()); err != nil {
		return err
	}
	s.direct, err = s.entry(machine.AWS.URL())
	return err
}

func (s *stack) close() error {
	if s.proxy != nil {
		s.proxy.close()
	}
	if s.target == nil {
		return nil
	}
	return s.target.close()
}

func (s *stack) faultPoint() faultPoint {
	if s.target != nil {
		return s.target
	}
	return s.proxy
}

// theirs returns the name of a customer's secret.
func (s *stack) theirs() string { return "theirs-" + s.Table }

// share creates a customer's secret and returns the detail of an event that
// refers to it.
func (s *stack) share(ctx context.Context, name string, payload map[string]any) (map[string]any, error) {
	detail, err := s.Share(ctx, account, name, payload)
	if err != nil {
		return nil, err
	}
	detail["account_id"] = account
	return detail, nil
}

func (s *stack) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// env returns the environment of a function that uses AWS at endpoint. The event
// bus is always behind the proxy, which records the events.
func (s *stack) env(endpoint string) []string {
	return append(s.Env(endpoint), "AWS_ENDPOINT_URL_EVENTBRIDGE="+s.proxy.url())
}

func (s *stack) awsenv(endpoint string) *awsenv.Env {
	return awsenv.New(deployment.Lookup(s.env(endpoint)))
}

func (s *stack) entry(endpoint string) (entry, error) {
	log, env := slog.New(slog.NewTextHandler(s.log, nil)), s.awsenv(endpoint)
	service, err := targets.Open(env, log)
	if err != nil {
		return entry{}, err
	}
	if service.Now = s.now; s.target == nil {
		service.Prober = passingProber{}
	}
	config, bus, err := env.Bus()
	return entry{service, &provision.Handler{Service: service, Bus: eventbus.Open(config, bus), Log: log}}, err
}

// start starts a function that uses AWS through the proxy.
func (s *stack) start(ctx context.Context, function string) (*runtimeapi.Function, error) {
	return s.Start(ctx, function, s.env(s.proxy.url()))
}

// sweep moves the clock two hours ahead and sweeps.
func (s *stack) sweep(ctx context.Context) (sweep.Report, error) {
	s.ahead.Add(int64(2 * time.Hour))
	return s.sweepAhead(ctx, 0)
}

// sweepAhead sweeps with a clock that is ahead of the stack's.
func (s *stack) sweepAhead(ctx context.Context, ahead time.Duration) (sweep.Report, error) {
	service, err := sweeper.Open(s.awsenv(s.proxy.url()), slog.New(slog.NewTextHandler(s.log, nil)))
	if err != nil {
		return sweep.Report{}, err
	}
	service.Now = func() time.Time { return s.now().Add(ahead) }
	return service.Sweep(ctx)
}
