package probe_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/egress"
	"github.com/headgate/headgate/internal/probe"
	"github.com/headgate/headgate/internal/testkit/localrun"
)

// reachFindings returns the codes of the address and connection checks.
func reachFindings() map[check.Code]finding {
	return map[check.Code]finding{
		check.HostnameNotFound: {check.Address, check.Failed, []state{
			{cause: "the name does not exist", setup: unresolved(&net.DNSError{Err: "no such host", IsNotFound: true})},
			{cause: "the name server is silent", setup: unresolved(&net.DNSError{Err: "i/o timeout", IsTimeout: true})},
			{cause: "the look-up times out", setup: unresolved(context.DeadlineExceeded)},
		}},
		check.AddressNotAllowed: {check.Address, check.Failed, []state{
			{cause: "loopback is not allowed", setup: onForbiddenHost("127.0.0.1"), fix: advice},
			{cause: "localhost is not allowed", setup: onForbiddenHost("localhost"), fix: advice},
			{cause: "a metadata service", setup: onForbiddenHost("169.254.169.254")},
			{cause: "an IPv6 address, and ipv6 is false", setup: onForbiddenHost("::1"), fix: advice},
		}},
		check.NoIPv4Address: {check.Address, check.Failed, []state{
			{cause: "an IPv6 literal", fix: advice, setup: otherFamily("::1", false), repair: func(s *source) {
				s.target.Endpoint.IPv6 = true
				if !localrun.HasIPv6() {
					s.target.Endpoint.Hostname, s.target.Endpoint.IPv6 = "127.0.0.1", false
				}
			}},
		}},
		check.NoIPv6Address: {check.Address, check.Failed, []state{
			{cause: "an IPv4 literal", fix: advice, setup: otherFamily("127.0.0.1", true), repair: func(s *source) {
				s.target.Endpoint.IPv6 = false
			}},
		}},
		check.ConnectionRefused: {check.Connection, check.Failed, []state{
			{cause: "nothing listens", fix: advice, setup: func(t *testing.T) *source { return newTargetSource(t, closedPort(t)) }},
		}},
		check.ConnectionTimeout: {check.Connection, check.Failed, []state{
			{cause: "packets are dropped", fix: advice, setup: func(t *testing.T) *source {
				s := newTargetSource(t, 1)
				s.prober = dials(t, func(ctx context.Context, _, _ string) (net.Conn, error) {
					<-ctx.Done()
					return nil, &net.OpError{Op: "dial", Err: ctx.Err()}
				})
				return s
			}},
			{cause: "it accepts and is silent", fix: advice, setup: servedBy(discardInput)},
		}},
		check.NetworkUnreachable: {check.Connection, check.Failed, []state{
			{cause: "no route to the network", setup: unreachable(syscall.ENETUNREACH)},
			{cause: "no route to the host", setup: unreachable(syscall.EHOSTUNREACH)},
		}},
		check.NotPostgres: {check.Connection, check.Failed, []state{
			{cause: "HTTP", fix: advice, setup: servedBy(sendAndWait("HTTP/1.1 400 Bad Request\r\n\r\n"))},
			{cause: "SSH", fix: advice, setup: servedBy(sendAndWait("SSH-2.0-OpenSSH_9.9\r\n"))},
		}},
		check.ConnectionLost: {check.Connection, check.Failed, []state{
			{cause: "it closes at once", setup: servedBy(func(net.Conn) {})},
			{cause: "the session is terminated", setup: terminatedSession},
		}},
	}
}

func unresolved(err error) func(*testing.T) *source {
	return func(t *testing.T) *source {
		s := newTargetSource(t, 5432)
		s.target.Endpoint.Hostname = "db.example.com"
		s.prober = prober(t)
		s.prober.Client.Resolver = resolverFunc(func(context.Context, string, string) ([]netip.Addr, error) { return nil, err })
		return s
	}
}

// onForbiddenHost returns a setup of a source on a host that the policy forbids.
func onForbiddenHost(host string) func(*testing.T) *source {
	return func(t *testing.T) *source {
		s := newTargetSource(t, shared.Port())
		s.target.Endpoint.Hostname = host
		s.prober = probe.New(egress.Policy{})
		return s
	}
}

func otherFamily(host string, ipv6 bool) func(*testing.T) *source {
	return func(t *testing.T) *source {
		s := newSource(t, shared)
		s.target.Endpoint.Hostname, s.target.Endpoint.IPv6 = host, ipv6
		return s
	}
}

// dials returns a Prober that dials with dial.
func dials(t *testing.T, dial dialerFunc) *probe.Prober {
	t.Helper()
	p := prober(t)
	p.Client.Dialer = dial
	return p
}

func unreachable(errno syscall.Errno) func(*testing.T) *source {
	return func(t *testing.T) *source {
		s := newTargetSource(t, 5432)
		s.prober = dials(t, func(_ context.Context, network, _ string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", errno)}
		})
		return s
	}
}

func closedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().(*net.TCPAddr).Port
}

// terminatedSession is a source whose sessions are terminated while their statement
// waits for a lock.
func terminatedSession(t *testing.T) *source {
	s := newSource(t, shared)
	lock := openSession(t, shared, s.target.Endpoint.Database, nil)
	mustDo(t, lock, "BEGIN")
	mustDo(t, lock, "LOCK TABLE pg_publication IN ACCESS EXCLUSIVE MODE")
	done := make(chan struct{})
	t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		ended := fmt.Sprintf(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND usename = %s`, literal(s.target.Endpoint.Username))
		for t.Context().Err() == nil {
			out, err := shared.Exec(t.Context(), "postgres", ended)
			if err != nil || out == "t" {
				return
			}
		}
	}()
	return s
}
