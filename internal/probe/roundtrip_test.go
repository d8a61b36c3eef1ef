package probe_test

import (
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/testkit/link"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

// forward forwards one connection to a server on this machine.
func forward(client net.Conn, port int) { forwardAfter(client, port, nil) }

// forwardAfter sends start to a server on this machine, and then forwards the
// connection to it.
func forwardAfter(client net.Conn, port int, start []byte) {
	server, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	if _, err := server.Write(start); err != nil {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	})
	_, _ = io.Copy(server, client)
	_ = server.Close()
	back.Wait()
}

func TestProbe_RoundTrips(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method string
		// trips are those of TCP, the start-up, the login, and the statement, unless that
		// is pipelined.
		trips int
		// saved is what pipelining saves.
		saved int
	}{
		{"scram-sha-256", 4, 1},
		{"md5", 4, 0},
		{"trust", 3, 0},
	} {
		t.Run(c.method, func(t *testing.T) {
			t.Parallel()
			// A server of its own: if other slots lag, a new slot looks as old as they are,
			// and the probe needs a peek.
			options := pgserver.Options{HBA: []string{"local all all trust", "host all all 127.0.0.1/32 " + c.method}}
			if c.method == "md5" {
				options.PasswordEncryption = "md5"
			}
			s := newSource(t, pgtest.Start(t, options))
			for _, ssl := range []bool{true, false} {
				for _, separate := range []bool{false, true} {
					want := c.trips
					if ssl {
						want += 2 // the TLS request and the handshake
					}
					if separate || *noPipelining {
						want += c.saved
					}
					s.prober = prober(t)
					s.prober.Client.NoPipelining = separate || *noPipelining
					s.target.Endpoint.SSL = ssl
					if got := s.roundTrips(t); got > want {
						t.Errorf("ssl %v, without pipelining %v: %d round trips, want %d", ssl, separate, got, want)
					}
				}
			}
		})
	}
}

// roundTrips returns the round trips of a probe, and checks that it opened one
// connection. The server is at a distance: otherwise what it sends at the end of TLS
// could arrive between two messages that are sent together.
func (s *source) roundTrips(t *testing.T) int {
	t.Helper()
	const distance = 20 * time.Millisecond
	far, err := link.Open(net.JoinHostPort("127.0.0.1", strconv.Itoa(s.server.Port())), distance)
	if err != nil {
		t.Fatal(err)
	}
	s.target.Endpoint.Port = far.Port()
	report := s.probe()
	far.Close()
	if failure, failed := report.FirstFailure(); failed {
		t.Errorf("%s: %s", failure.Code, failure.Message)
	}
	traffic := far.Traffic()
	if traffic.Connections != 1 {
		t.Errorf("%d connections were made, want 1", traffic.Connections)
	}
	return traffic.RoundTrips
}

// TestProbe_PipeliningUnsupported has a proxy that ends a connection on which a
// statement comes before the end of the login.
func TestProbe_PipeliningUnsupported(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	front := (&standIn{serve: rejectPipelining(s.server.Port())}).start(t)
	s.target.Endpoint.Port, s.target.Endpoint.SSL = front.port, false
	report := s.probe()
	front.stop()
	if failure, failed := report.FirstFailure(); failed {
		t.Errorf("%s: %s", failure.Code, failure.Message)
	}
	want := int64(2)
	if *noPipelining {
		want = 1
	}
	if n := int64(front.accepted.Load()); n != want {
		t.Errorf("%d connections were made, want %d", n, want)
	}
}

// rejectPipelining forwards a connection to a server on this machine, and closes it if
// the client pipelines a statement.
func rejectPipelining(port int) func(net.Conn) {
	return func(client net.Conn) {
		watched := recorder{Conn: client, heard: func(b []byte) {
			const header = 5 // a message's type and its length, which counts itself
			if len(b) > header && b[0] == 'p' && int(binary.BigEndian.Uint32(b[1:header])) < len(b)-1 {
				_ = client.Close()
			}
		}}
		forward(watched, port)
	}
}

func TestProbe_LeavesNoSession(t *testing.T) {
	t.Parallel()
	for _, change := range []string{"SELECT 1", "DROP PUBLICATION %[1]s; INSERT INTO t VALUES (1); CREATE PUBLICATION %[1]s FOR TABLE t"} {
		s := afterSQL(change)(t)
		if got := status(s.probe(), check.Authentication); got != check.Passed {
			t.Errorf("authentication is %s", got)
		}
		left := "SELECT count(*) FROM pg_stat_activity WHERE usename = " + literal(s.target.Endpoint.Username)
		for s.admin(left) != "0" {
			if t.Context().Err() != nil {
				t.Fatal("a session is still open")
			}
		}
		if s.admin("SELECT active FROM pg_replication_slots WHERE slot_name = "+s.slot()) != "f" {
			t.Error("the slot is active")
		}
	}
}
