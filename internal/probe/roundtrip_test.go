package probe_test

import (
	"io"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/pgserver"
	"github.com/headgate/headgate/internal/pgserver/pgtest"
)

// proxy passes connections on and counts the round trips on them: how often the
// client said something after the server had spoken, and the connection itself.
type proxy struct {
	mu       sync.Mutex
	trips    int
	speaking bool // the client spoke last
}

func (p *proxy) said(client bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if client && !p.speaking {
		p.trips++
	}
	p.speaking = client
}

func (p *proxy) serve(port int) func(net.Conn) {
	return func(client net.Conn) {
		p.mu.Lock()
		p.trips++
		p.speaking = false
		p.mu.Unlock()
		server, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return
		}
		defer func() { _ = server.Close() }()
		var back sync.WaitGroup
		back.Go(func() {
			_, _ = io.Copy(client, recorder{Conn: server, heard: func(b []byte) { p.heard(b, false) }})
			_ = client.Close()
		})
		_, _ = io.Copy(server, recorder{Conn: client, heard: func(b []byte) { p.heard(b, true) }})
		_ = server.Close()
		back.Wait()
	}
}

func (p *proxy) heard(b []byte, client bool) {
	if len(b) > 0 {
		p.said(client)
	}
}

// pass passes one connection on to a server of this machine.
func pass(client net.Conn, port int) { (&proxy{}).serve(port)(client) }

func TestAHealthyTargetTakesOneConnectionAndFewRoundTrips(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		ssl  bool
		most int
	}{
		// TCP, SSLRequest, TLS, start-up and SCRAM (3), the statement; and the
		// farewell, which is not waited for.
		{"with TLS", true, 7 + 1},
		{"without TLS", false, 5 + 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			// A server of its own: where other slots lag, a new one is made to look as
			// old as they are, and the order of slot and publication has to be tried.
			s := newSource(t, pgtest.Start(t, pgserver.Options{}))
			p := &proxy{}
			front := (&standIn{serve: p.serve(s.server.Port())}).start(t)
			s.target.Endpoint.Port, s.target.Endpoint.SSL = front.port, c.ssl
			report := s.probe()
			front.stop()
			if failure, failed := report.FirstFailure(); failed {
				t.Errorf("%s: %s", failure.Code, failure.Message)
			}
			if n := front.accepted.Load(); n != 1 {
				t.Errorf("%d connections were made, want 1", n)
			}
			if p.trips > c.most {
				t.Errorf("%d round trips, want at most %d, the farewell included", p.trips, c.most)
			}
		})
	}
}

// TestNoSessionIsLeftOnTheServer waits until the server has noticed the end.
func TestNoSessionIsLeftOnTheServer(t *testing.T) {
	t.Parallel()
	for _, change := range []string{"SELECT 1", "DROP PUBLICATION %[1]s; INSERT INTO t VALUES (1); CREATE PUBLICATION %[1]s FOR TABLE t"} {
		s := altered(change)(t)
		if got := status(s.probe(), database.CheckAuthentication); got != database.Passed {
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
