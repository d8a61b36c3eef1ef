package samlocal_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/headgate/headgate/internal/testkit/link"
	"github.com/headgate/headgate/internal/testkit/mototest"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

// The ports that the events and their environment file have.
const (
	postgresPort = "5432"
	standbyPort  = "5433"
	motoPort     = "5999"
)

// major is a version of Postgres that supports logical slots on standbys.
const major = 17

// startSources starts the primary and the standby of the events, ready for change
// data capture.
func startSources(t *testing.T) (primary, standby *pgserver.Server) {
	t.Helper()
	installation, err := pgserver.Install(t.Context(), major)
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

// createOnStandby creates a slot on the standby. That waits until the primary logs
// its running transactions, which createOnStandby makes it do.
func createOnStandby(ctx context.Context, primary, standby *pgserver.Server, slot string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	created := make(chan error, 1)
	go func() {
		_, err := standby.Exec(ctx, "postgres", slot)
		created <- err
	}()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var logErr error
	for {
		select {
		case err := <-created:
			return errors.Join(err, logErr)
		case <-tick.C:
			if _, err := primary.Exec(ctx, "postgres", "SELECT pg_log_standby_snapshot()"); err != nil {
				logErr = err
				cancel()
			}
		}
	}
}

// startAWS starts moto with a table, a bus, a queue and a secret that is shared with the
// events' account. It returns moto's address and the secret's ARN.
func startAWS(t *testing.T) (address *url.URL, secret string) {
	t.Helper()
	server := mototest.Start(t)
	if err := mototest.CreateTable(t.Context(), server.URL(), "headgate"); err != nil {
		t.Fatal(err)
	}
	if _, err := eventbridge.NewFromConfig(server.Config()).CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: aws.String("headgate")}); err != nil {
		t.Fatal(err)
	}
	if _, err := sqs.NewFromConfig(server.Config()).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("headgate-checks")}); err != nil {
		t.Fatal(err)
	}
	made, err := secretsmanager.NewFromConfig(server.Config()).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name:         aws.String("headgate-sample"),
		SecretString: aws.String(`{"engine":"postgres","host":"` + hostName + `","username":"postgres","password":"postgres"}`),
		Tags:         []types.Tag{{Key: aws.String("headgate:shared-with"), Value: aws.String("headgate/local")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if address, err = url.Parse(server.URL()); err != nil {
		t.Fatal(err)
	}
	return address, *made.ARN
}

// expose lets containers reach a server on this machine's loopback.
func expose(t *testing.T, host, port, server string) {
	t.Helper()
	l, err := link.OpenAt(net.JoinHostPort(host, port), server, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
