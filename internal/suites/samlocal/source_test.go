package samlocal_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/headgate/headgate/internal/testkit/mototest"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

// Where the events and their environment file expect the servers.
const (
	postgresPort = "5432"
	standbyPort  = "5433"
	motoPort     = "5999"
)

// modern is a major of Postgres that has logical slots on standbys.
const modern = 17

// startSources starts the primary and the standby that the events name, ready
// for change data capture.
func startSources(t *testing.T) (primary, standby *pgserver.Server) {
	t.Helper()
	installation, err := pgserver.Install(t.Context(), modern)
	if err != nil {
		t.Fatal(err)
	}
	primary = pgtest.Start(t, pgserver.Options{Installation: installation})
	exec := func(sql string) {
		t.Helper()
		if _, err := primary.Exec(t.Context(), "postgres", sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	standby = pgtest.StartStandby(t, primary, pgserver.Options{PrimarySlot: "standby"})
	exec("ALTER ROLE postgres PASSWORD 'postgres'")
	exec("CREATE TABLE orders (id bigint PRIMARY KEY)")
	exec("CREATE PUBLICATION headgate_pub FOR TABLE orders")
	const slot = "SELECT pg_create_logical_replication_slot('headgate_slot', 'pgoutput')"
	exec(slot)
	if err := pgserver.WaitForReplay(t.Context(), primary, standby); err != nil {
		t.Fatal(err)
	}
	if err := createOnStandby(t.Context(), primary, standby, slot); err != nil {
		t.Fatal(err)
	}
	return primary, standby
}

// createOnStandby makes a slot on the standby, which waits for the primary to
// tell which transactions run there.
func createOnStandby(ctx context.Context, primary, standby *pgserver.Server, slot string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	made := make(chan error, 1)
	go func() {
		_, err := standby.Exec(ctx, "postgres", slot)
		made <- err
	}()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var told error
	for {
		select {
		case err := <-made:
			return errors.Join(err, told)
		case <-tick.C:
			if _, err := primary.Exec(ctx, "postgres", "SELECT pg_log_standby_snapshot()"); err != nil {
				told = err
				cancel()
			}
		}
	}
}

// startAWS starts moto with what a stack has beside its functions, and a secret
// that is shared with the events' account, and gives moto's address and the
// secret's ARN.
func startAWS(t *testing.T) (address *url.URL, secret string) {
	t.Helper()
	server := mototest.Start(t)
	if err := mototest.CreateTable(t.Context(), server.URL(), "headgate"); err != nil {
		t.Fatal(err)
	}
	if _, err := eventbridge.NewFromConfig(server.Config()).CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: aws.String("headgate")}); err != nil {
		t.Fatal(err)
	}
	made, err := secretsmanager.NewFromConfig(server.Config()).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name:         aws.String("headgate-sample"),
		SecretString: aws.String(`{"engine":"postgres","username":"postgres","password":"postgres"}`),
		Tags:         []types.Tag{{Key: aws.String("headgate:shared-with"), Value: aws.String("local")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if address, err = url.Parse(server.URL()); err != nil {
		t.Fatal(err)
	}
	return address, *made.ARN
}

// relay lets a container reach a server that listens on this machine's
// loopback: what arrives at host and port goes on to the server.
func relay(t *testing.T, host, port, server string) {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			work.Go(func() { join(ctx, conn, server) })
		}
	})
	t.Cleanup(func() {
		cancel()
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		work.Wait()
	})
}

// join carries bytes both ways until both sides have ended, or ctx has.
func join(ctx context.Context, caller net.Conn, server string) {
	defer func() { _ = caller.Close() }()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", server)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() {
		_ = caller.Close()
		_ = conn.Close()
	})
	defer stop()
	var ways sync.WaitGroup
	carry := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		_ = to.(*net.TCPConn).CloseWrite()
	}
	ways.Go(func() { carry(conn, caller) })
	ways.Go(func() { carry(caller, conn) })
	ways.Wait()
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
