package probe_test

import (
	"context"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

func TestProbe_FewerWALSendersThanChecks(t *testing.T) {
	t.Parallel()
	const walSenders, checks = 10, 16
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

// busyDialer makes connections of a process that is too busy to read before the
// deadline, from some read on.
type busyDialer struct{ reads int }

func (d busyDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &busyConn{TCPConn: conn.(*net.TCPConn), reads: d.reads}, nil
}

type busyConn struct {
	*net.TCPConn

	reads    int
	deadline atomic.Value // of time.Time
}

func (c *busyConn) SetDeadline(t time.Time) error {
	c.deadline.Store(t)
	return c.TCPConn.SetDeadline(t)
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

func TestProbe_BusyProcess(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	for name, reads := range map[string]int{"before TLS": 1, "in TLS": 2, "in the login": 4, "before it dials": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			p := prober(t)
			p.Client.Dialer = busyDialer{reads}
			if reads == 0 {
				<-ctx.Done()
			}
			if x := p.Probe(ctx, s.target); !x.OutOfTime {
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
