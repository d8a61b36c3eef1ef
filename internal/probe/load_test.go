package probe_test

import (
	"bytes"
	"context"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/judge"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

func TestProbe_FewerWALSendersThanChecks(t *testing.T) {
	t.Parallel()
	const walSenders, checks = 10, 30
	server := pgtest.Start(t, pgserver.Options{Settings: map[string]string{"max_wal_senders": strconv.Itoa(walSenders)}})
	s := newSource(t, server)
	var all sync.WaitGroup
	for range checks {
		all.Go(func() {
			for _, e := range s.probe() {
				if e.Code == check.NoWALSenderAvailable {
					t.Errorf("%s: %s", e.Code, e.Message)
				}
			}
		})
	}
	all.Wait()
}

// TestProbe_WALSenderFreed has a server whose only walsender is taken by a login that
// stops half-way, for longer than a check asks for one, and that counts it as free.
func TestProbe_WALSenderFreed(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgserver.Options{Settings: map[string]string{"max_wal_senders": "1"}})
	s := newSource(t, server)
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(server.Port())))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	half := pgproto3.NewFrontend(conn, conn)
	half.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{
		"user": s.target.Endpoint.Username, "database": s.target.Endpoint.Database, "replication": "database",
	}})
	if err := half.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := half.Receive(); err != nil {
		t.Fatal(err)
	}
	const held = 1500 * time.Millisecond
	begin := time.Now()
	time.AfterFunc(held, func() { _ = conn.Close() })
	if failure, failed := s.probe().FirstFailure(); failed || time.Since(begin) < held {
		t.Errorf("after %v: %s: %s", time.Since(begin), failure.Code, failure.Message)
	}
}

// busyDialer makes connections of a process that is too busy to read before the
// deadline, from some read on.
type busyDialer struct {
	reads int
	// statement is a part of the statement whose answer is not read, if not empty.
	statement string
}

func (d busyDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &busyConn{TCPConn: conn.(*net.TCPConn), busyDialer: d}, nil
}

type busyConn struct {
	*net.TCPConn
	busyDialer

	deadline atomic.Value // of time.Time
}

func (c *busyConn) SetDeadline(t time.Time) error {
	c.deadline.Store(t)
	return c.TCPConn.SetDeadline(t)
}

func (c *busyConn) Write(p []byte) (int, error) {
	if c.statement != "" && bytes.Contains(p, []byte(c.statement)) {
		c.reads = 1
	}
	return c.TCPConn.Write(p)
}

// Read waits until the deadline is over, also for the runtime's timer. The answer
// arrives in the meantime.
func (c *busyConn) Read(p []byte) (int, error) {
	if c.reads--; c.reads == 0 {
		deadline, _ := c.deadline.Load().(time.Time)
		<-time.After(time.Until(deadline) + 100*time.Millisecond)
	}
	return c.TCPConn.Read(p)
}

// TestSafety_BusyProcess holds that no operation takes our own load for the source's
// fault, whatever it waits for.
func TestSafety_BusyProcess(t *testing.T) {
	t.Parallel()
	refresh := func(ctx context.Context, p *probe.Prober, target database.Target) bool {
		return p.RefreshTables(ctx, target, func(database.Table) bool { return true }).OutOfTime
	}
	health := func(ctx context.Context, p *probe.Prober, target database.Target) bool {
		_, _, err := p.CheckHealth(ctx, target, database.DefaultHealthLimits())
		return apierror.KindOf(err) == apierror.Unavailable
	}
	for name, c := range map[string]struct {
		dialer    busyDialer
		outOfTime func(context.Context, *probe.Prober, database.Target) bool
	}{
		"refresh_tables at the start":        {busyDialer{reads: 1}, refresh},
		"refresh_tables at the login":        {busyDialer{reads: 2}, refresh},
		"refresh_tables at the publication":  {busyDialer{statement: "pg_publication p"}, refresh},
		"refresh_tables at the list":         {busyDialer{statement: "SELECT x.nspname"}, refresh},
		"a health check at the start":        {busyDialer{reads: 1}, health},
		"a health check at the login":        {busyDialer{reads: 2}, health},
		"a health check at the first answer": {busyDialer{statement: "pg_publication p"}, health},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSource(t, shared)
			s.target.Endpoint.SSL = false
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			p := prober(t)
			p.Client.Dialer = c.dialer
			if !c.outOfTime(ctx, p, s.target) {
				t.Error("the source is to blame")
			}
		})
	}
	t.Run("the tables that were not read are a warning that says so", func(t *testing.T) {
		t.Parallel()
		report := judge.Report(newTarget(0, 0), facts.Evidence{
			Reached:    facts.LoggedIn,
			Facts:      facts.Facts{Publication: &facts.Lookup[facts.Publication]{Found: &facts.Publication{}}},
			Unanswered: map[facts.Part]facts.Failure{facts.PartTables: {Kind: facts.OutOfTime}},
		}, nil)
		if e, ok := entry(report, check.NotChecked); !ok || e.Status != check.Warned || !strings.Contains(e.Message, "this service was too busy") {
			t.Errorf("got %+v", e)
		}
	})
}

func TestProbe_BusyProcess(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	for name, reads := range map[string]int{"before TLS": 1, "in TLS": 2, "in the login": 4, "before it looks the name up": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			p := prober(t)
			p.Client.Dialer = busyDialer{reads: reads}
			target := s.target
			if reads == 0 {
				target.Endpoint.Hostname = "localhost"
				<-ctx.Done()
			}
			if x := p.Probe(ctx, target); !x.OutOfTime {
				t.Errorf("not out of time: %v", x.Report)
			}
		})
	}
	t.Run("a server that does not answer is not our fault", func(t *testing.T) {
		t.Parallel()
		silent := newTargetSource(t, (&standIn{serve: discardInput}).start(t).port)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if x := prober(t).Probe(ctx, silent.target); x.OutOfTime {
			t.Errorf("out of time: %v", x.Report)
		}
	})
}
