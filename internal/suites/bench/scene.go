package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/headgate/headgate/internal/testkit/deployment"
	"github.com/headgate/headgate/internal/testkit/link"
	"github.com/headgate/headgate/internal/testkit/localrun"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

const (
	// maxCreates is at least the number of all creates of a run.
	maxCreates = 200

	account  = "bench"
	programs = "internal/suites/bench/"
)

// scene is a deployment with a source, reachable without delay and over a
// distance.
type scene struct {
	*deployment.Stack
	functions   []string
	source      pgserver.Source
	payload     map[string]any
	authorities authorities
	near, far   *network
	creates     int // so far, for the names of databases
}

// onScene builds the programs, starts the servers, calls do, and stops the
// servers.
func onScene(ctx context.Context, do func(*scene) error) (err error) {
	machine, err := deployment.Open(ctx, pgserver.Options{Settings: map[string]string{"max_replication_slots": strconv.Itoa(2 * maxCreates)}}, programs+naive, programs+hello, programs+floor)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	if err := buildPinned(ctx, machine); err != nil {
		return err
	}
	stack, err := machine.NewStack(ctx)
	if err != nil {
		return err
	}
	s := &scene{Stack: stack}
	if s.functions, err = functionNames(); err != nil {
		return err
	}
	s.source = pgserver.Source{
		Database: "shop", Username: "cdc", Password: machine.Postgres.SuperuserPassword(), // a new password for each server
		Publication: "orders_pub", Slot: "orders_slot",
	}
	if err := machine.Postgres.CreateSource(ctx, s.source); err != nil {
		return err
	}
	// A slot for each create: one that other databases have too takes more calls.
	slots := fmt.Sprintf("SELECT pg_create_logical_replication_slot('orders_slot_' || i, 'pgoutput') FROM generate_series(1, %d) i", maxCreates)
	if _, err := machine.Postgres.Exec(ctx, s.source.Database, slots); err != nil {
		return fmt.Errorf("create slots: %w", err)
	}
	s.payload = machine.Payload("", s.source)
	return s.connect(do)
}

func functionNames() ([]string, error) {
	root, err := localrun.RepositoryRoot()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Join(root, "functions"))
	if err != nil {
		return nil, fmt.Errorf("list functions: %w", err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, nil
}

// connect opens the networks and calls do.
func (s *scene) connect(do func(*scene) error) (err error) {
	front, err := startFront(s.AWS.URL())
	if err != nil {
		return err
	}
	defer front.Close()
	directory, err := os.MkdirTemp("", "headgate-bench")
	if err != nil {
		return fmt.Errorf("create directory for certificate authorities: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	if s.authorities, err = writeAuthorities(directory, front); err != nil {
		return err
	}
	if s.near, err = s.openNetwork(front, 0); err != nil {
		return err
	}
	defer s.near.close()
	if s.far, err = s.openNetwork(front, RoundTrip); err != nil {
		return err
	}
	defer s.far.close()
	return do(s)
}

// startFront starts an HTTPS server in front of moto that keeps connections open,
// as AWS does. moto has no TLS and closes each connection after one response.
func startFront(moto string) (*httptest.Server, error) {
	to, err := url.Parse(moto)
	if err != nil {
		return nil, fmt.Errorf("parse moto's URL: %w", err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.Transport = &http.Transport{} // without a proxy, since moto is on loopback
	// A function that ends closes its connections, which is not an error here.
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	front := httptest.NewUnstartedServer(proxy)
	front.Config.ReadHeaderTimeout = time.Minute
	front.Config.ErrorLog = proxy.ErrorLog
	front.StartTLS()
	return front, nil
}

// network is the links from a function to what it needs, all with one round-trip
// time. Each service of AWS has its own link, as it has its own host.
type network struct {
	postgres, dynamo, secrets *link.Link
}

func (s *scene) openNetwork(front *httptest.Server, roundTrip time.Duration) (*network, error) {
	n := &network{}
	aws := front.Listener.Addr().String()
	for _, l := range []struct {
		to     **link.Link
		target string
	}{
		{&n.postgres, net.JoinHostPort(s.Postgres.Host(), strconv.Itoa(s.Postgres.Port()))},
		{&n.dynamo, aws},
		{&n.secrets, aws},
	} {
		var err error
		if *l.to, err = link.Open(l.target, roundTrip); err != nil {
			n.close()
			return nil, err
		}
	}
	return n, nil
}

func (n *network) close() {
	for _, l := range []*link.Link{n.postgres, n.dynamo, n.secrets} {
		if l != nil {
			l.Close()
		}
	}
}

// traffic is the traffic of a network.
type traffic struct{ postgres, dynamo, secrets link.Traffic }

func (n *network) traffic() traffic {
	return traffic{n.postgres.Traffic(), n.dynamo.Traffic(), n.secrets.Traffic()}
}

func (t traffic) minus(earlier traffic) traffic {
	return traffic{t.postgres.Minus(earlier.postgres), t.dynamo.Minus(earlier.dynamo), t.secrets.Minus(earlier.secrets)}
}

// start starts a program on a network. It needs a Stop.
func (s *scene) start(ctx context.Context, program string, n *network) (*runtimeapi.Function, error) {
	return s.Start(ctx, program, append(s.env(program, n), s.authorities.env(program)...))
}

// env is the environment that template.yaml sets; the naive program has no setting of its
// own.
func (s *scene) env(program string, n *network) []string {
	url := func(l *link.Link) string { return "https://127.0.0.1:" + strconv.Itoa(l.Port()) }
	env := append(s.Env(url(n.dynamo)), "AWS_ENDPOINT_URL_DYNAMODB="+url(n.dynamo), "AWS_ENDPOINT_URL_SECRETS_MANAGER="+url(n.secrets),
		"CHECK_QUEUE_URL=https://sqs.eu-west-1.amazonaws.com/123456789012/checks", "DEAD_LETTER_QUEUE_URL=https://sqs.eu-west-1.amazonaws.com/123456789012/dead")
	if program != naive {
		env = append(env, "GOMAXPROCS=1")
	}
	return env
}
