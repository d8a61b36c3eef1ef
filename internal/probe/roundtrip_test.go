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

// pass passes one connection on to a server of this machine.
func pass(client net.Conn, port int) {
	server, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	})
	_, _ = io.Copy(server, client)
	_ = server.Close()
	back.Wait()
}

func TestAHealthyTargetTakesOneConnectionAndFewRoundTrips(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method string
		// trips are TCP, the start-up, the login's messages, and the statement, which
		// goes along with the last of SCRAM's.
		trips int
		// apart is the statement's own, where it is not sent ahead.
		apart int
	}{
		{"scram-sha-256", 4, 1},
		{"md5", 4, 0},
		{"trust", 3, 0},
	} {
		t.Run(c.method, func(t *testing.T) {
			t.Parallel()
			// A server of its own: where other slots lag, a new one is made to look as
			// old as they are, and the order of slot and publication has to be tried.
			options := pgserver.Options{HBA: []string{"local all all trust", "host all all 127.0.0.1/32 " + c.method}}
			if c.method == "md5" {
				options.PasswordEncryption = "md5"
			}
			s := newSource(t, pgtest.Start(t, options))
			for _, ssl := range []bool{true, false} {
				for _, apart := range []bool{false, true} {
					want := c.trips
					if ssl {
						want += 2 // the request for TLS, and its handshake
					}
					if apart || *apartFlag {
						want += c.apart
					}
					s.prober = prober(t)
					s.prober.Client.NoPipelining = apart || *apartFlag
					s.target.Endpoint.SSL = ssl
					if got := s.trips(t); got > want {
						t.Errorf("ssl %v, apart %v: %d round trips, want %d", ssl, apart, got, want)
					}
				}
			}
		})
	}
}

// trips are the round trips that a probe takes. It fails where more than one
// connection was made. There is a distance to the server: else what it says at the
// end of TLS could come between two messages that are sent together.
func (s *source) trips(t *testing.T) int {
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

// TestASessionThatEndsAtTheStatementIsTriedWithoutIt has something in between
// that takes no statement before the login is through, as Postgres does.
func TestASessionThatEndsAtTheStatementIsTriedWithoutIt(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	front := (&standIn{serve: strict(s.server.Port())}).start(t)
	s.target.Endpoint.Port, s.target.Endpoint.SSL = front.port, false
	report := s.probe()
	front.stop()
	if failure, failed := report.FirstFailure(); failed {
		t.Errorf("%s: %s", failure.Code, failure.Message)
	}
	want := int64(2)
	if *apartFlag {
		want = 1
	}
	if n := int64(front.accepted.Load()); n != want {
		t.Errorf("%d connections were made, want %d", n, want)
	}
}

// strict passes a connection on to a server of this machine, and ends it where
// the client says two things at once.
func strict(port int) func(net.Conn) {
	return func(client net.Conn) {
		watched := recorder{Conn: client, heard: func(b []byte) {
			const header = 5 // a message's type and its length, which counts itself
			if len(b) > header && b[0] == 'p' && int(binary.BigEndian.Uint32(b[1:header])) < len(b)-1 {
				_ = client.Close()
			}
		}}
		pass(watched, port)
	}
}

// TestNoSessionIsLeftOnTheServer waits until the server has noticed the end.
func TestNoSessionIsLeftOnTheServer(t *testing.T) {
	t.Parallel()
	for _, change := range []string{"SELECT 1", "DROP PUBLICATION %[1]s; INSERT INTO t VALUES (1); CREATE PUBLICATION %[1]s FOR TABLE t"} {
		s := altered(change)(t)
		if got := status(s.probe(), check.Authentication); got != check.Passed {
			t.Errorf("authentication is %s", got)
		}
		left := "SELECT count(*) FROM pg_stat_activity WHERE usename = " + literal(s.target.Endpoint.Username)
		for s.admin(left) != "0" {
			if t.Context().Err() != nil {
				t.Fatal("a session is left")
			}
		}
		if s.admin("SELECT active FROM pg_replication_slots WHERE slot_name = "+s.slot()) != "f" {
			t.Error("the slot is held")
		}
	}
}
