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

	"github.com/headgate/headgate/internal/testkit/link"
	"github.com/headgate/headgate/internal/testkit/mototest"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

// scene is what the functions are run in: a source that is ready for change data
// capture, the stand-in for AWS, and the ways to them.
type scene struct {
	dir       string // with the programs
	functions []string
	postgres  *pgserver.Server
	password  string
	bundles   bundles
	near, far *surroundings
	creates   int // so far, for the names of databases
}

const (
	account = "bench"
	table   = "headgate-bench"
	prefix  = "headgate-bench"
)

// onScene builds the programs, sets the scene up, runs do on it, and takes all of
// it down.
func onScene(ctx context.Context, do func(*scene) error) (err error) {
	dir, err := os.MkdirTemp("", "headgate-bench")
	if err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	functions, err := build(ctx, dir)
	if err != nil {
		return err
	}
	return onServers(ctx, dir, functions, do)
}

func onServers(ctx context.Context, dir string, functions []string, do func(*scene) error) error {
	postgres, err := pgserver.Start(ctx, pgserver.Options{})
	if err != nil {
		return err
	}
	defer postgres.Stop()
	s := &scene{dir: dir, functions: functions, postgres: postgres}
	if err := s.prepareSource(ctx); err != nil {
		return err
	}
	moto, err := mototest.Open(ctx)
	if err != nil {
		return err
	}
	defer moto.Stop()
	return s.onAWS(ctx, moto.URL(), do)
}

// prepareSource makes what a source needs: a role, a publication, and then a
// slot.
func (s *scene) prepareSource(ctx context.Context) error {
	s.password = s.postgres.SuperuserPassword() // as good as any, and made anew for each server
	for _, step := range []struct{ database, sql string }{
		{"postgres", "CREATE ROLE cdc LOGIN REPLICATION PASSWORD '" + s.password + "'"},
		{"postgres", "CREATE DATABASE shop"},
		{"shop", "CREATE TABLE orders (id int PRIMARY KEY, total int); CREATE TABLE lines (id int PRIMARY KEY, text text)"},
		{"shop", "GRANT SELECT ON orders, lines TO cdc"},
		{"shop", "CREATE PUBLICATION orders_pub FOR TABLE orders, lines"},
		{"shop", "SELECT pg_create_logical_replication_slot('orders_slot', 'pgoutput')"},
	} {
		if _, err := s.postgres.Exec(ctx, step.database, step.sql); err != nil {
			return fmt.Errorf("preparing the source: %w", err)
		}
	}
	return nil
}

// onAWS puts AWS's form of an endpoint in front of moto, and does do with it near
// and far.
func (s *scene) onAWS(ctx context.Context, moto string, do func(*scene) error) error {
	if err := mototest.CreateTable(ctx, moto, table); err != nil {
		return err
	}
	front, err := startFront(moto)
	if err != nil {
		return err
	}
	defer front.Close()
	if s.bundles, err = writeBundles(s.dir, front); err != nil {
		return err
	}
	if s.near, err = s.surround(front.Listener.Addr().String(), 0); err != nil {
		return err
	}
	defer s.near.close()
	if s.far, err = s.surround(front.Listener.Addr().String(), RoundTrip); err != nil {
		return err
	}
	defer s.far.close()
	return do(s)
}

// startFront is an HTTPS server in front of moto that keeps connections, as
// AWS's do: moto itself has no TLS and closes each connection after one answer.
func startFront(moto string) (*httptest.Server, error) {
	to, err := url.Parse(moto)
	if err != nil {
		return nil, fmt.Errorf("reading moto's URL: %w", err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.Transport = &http.Transport{} // no proxy: moto is on loopback
	// A function that ends or gives up cuts its connections: nothing to tell of.
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	front := httptest.NewUnstartedServer(proxy)
	front.Config.ReadHeaderTimeout = time.Minute
	front.Config.ErrorLog = proxy.ErrorLog
	front.StartTLS()
	return front, nil
}

// surroundings are the ways from a function to what it needs, all of one length.
// Each of AWS's services has a way of its own, since it has a host of its own.
type surroundings struct {
	postgres, dynamo, secrets *link.Link
}

func (s *scene) surround(front string, roundTrip time.Duration) (*surroundings, error) {
	w := &surroundings{}
	for _, l := range []struct {
		to     **link.Link
		target string
	}{
		{&w.postgres, net.JoinHostPort(s.postgres.Host(), strconv.Itoa(s.postgres.Port()))},
		{&w.dynamo, front},
		{&w.secrets, front},
	} {
		var err error
		if *l.to, err = link.Open(l.target, roundTrip); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
}

func (w *surroundings) close() {
	for _, l := range []*link.Link{w.postgres, w.dynamo, w.secrets} {
		if l != nil {
			l.Close()
		}
	}
}

// traffic is what went over the links so far.
type traffic struct{ postgres, dynamo, secrets link.Traffic }

func (w *surroundings) traffic() traffic {
	return traffic{w.postgres.Traffic(), w.dynamo.Traffic(), w.secrets.Traffic()}
}

func (t traffic) minus(earlier traffic) traffic {
	return traffic{t.postgres.Minus(earlier.postgres), t.dynamo.Minus(earlier.dynamo), t.secrets.Minus(earlier.secrets)}
}

// start starts a program in those surroundings. It needs a Stop.
func (s *scene) start(ctx context.Context, program string, w *surroundings) (*runtimeapi.Function, error) {
	here := func(l *link.Link) string { return "https://127.0.0.1:" + strconv.Itoa(l.Port()) }
	env := []string{
		"AWS_ENDPOINT_URL=" + here(w.dynamo), // of the bus, which is not used
		"AWS_ENDPOINT_URL_DYNAMODB=" + here(w.dynamo), "AWS_ENDPOINT_URL_SECRETS_MANAGER=" + here(w.secrets),
		"AWS_REGION=" + mototest.Region,
		"AWS_ACCESS_KEY_ID=" + mototest.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + mototest.SecretAccessKey,
		"TABLE_NAME=" + table, "SECRET_PREFIX=" + prefix, "EVENT_BUS_NAME=bench", "EGRESS_ALLOW=127.0.0.0/8",
		"AWS_LAMBDA_LOG_FORMAT=JSON",
	}
	return runtimeapi.Start(ctx, runtimeapi.Config{
		Binary: filepath.Join(s.dir, program), FunctionName: program, Env: append(env, s.bundles.env(program)...),
	})
}
