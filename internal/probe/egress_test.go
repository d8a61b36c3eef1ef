package probe_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/egress"
	"github.com/headgate/headgate/internal/probe"
	"github.com/headgate/headgate/internal/requestlog"
)

// watched records what a Prober looks up and dials. Each look-up of a host can have
// another answer, and no dial succeeds.
type watched struct {
	mu      sync.Mutex
	answers map[string][][]string
	dialled []string
	lookups map[string]int
}

func (w *watched) prober(t *testing.T, allow string) *probe.Prober {
	t.Helper()
	policy, err := egress.New(allow, "")
	if err != nil {
		t.Fatal(err)
	}
	p := probe.New(policy)
	w.lookups = map[string]int{}
	p.Client.Resolver = resolverFunc(func(_ context.Context, _, host string) ([]netip.Addr, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		name, absolute := strings.CutSuffix(host, ".")
		if !absolute {
			t.Errorf("%s is looked up as a relative name", host)
		}
		answers := w.answers[name]
		answer := answers[min(w.lookups[host], len(answers)-1)]
		w.lookups[host]++
		var found []netip.Addr
		for _, a := range answer {
			found = append(found, netip.MustParseAddr(a))
		}
		return found, nil
	})
	p.Client.Dialer = dialerFunc(func(_ context.Context, _, address string) (net.Conn, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.dialled = append(w.dialled, address)
		return nil, errors.New("nothing listens")
	})
	return p
}

func TestProbe_DialledAddresses(t *testing.T) {
	t.Parallel()
	const public, other, private = "203.0.112.7", "203.0.112.8", "10.0.0.7"
	for _, c := range []struct {
		name    string
		main    [][]string
		primary [][]string
		ipv6    bool
		dialled []string
		want    check.Code
	}{
		{name: "rebound on a second look-up", main: [][]string{{public}, {"169.254.169.254"}}, dialled: []string{public}},
		{name: "all addresses in turn", main: [][]string{{public, other}}, dialled: []string{public, other}},
		{name: "the requested family", main: [][]string{{"2a00::1", public}}, dialled: []string{public}},
		{name: "the other family", main: [][]string{{"2a00::1", public}}, ipv6: true, dialled: []string{"2a00::1"}},
		{name: "IPv4 mapped to IPv6", main: [][]string{{"::ffff:" + public}}, dialled: []string{public}},
		{name: "one address is private", main: [][]string{{public, private}}, want: check.AddressNotAllowed},
		{name: "private mapped to IPv6", main: [][]string{{"::ffff:10.0.0.7"}}, want: check.AddressNotAllowed},
		{name: "private behind 6to4", main: [][]string{{"2002:a00:7::1"}}, ipv6: true, want: check.AddressNotAllowed},
		{name: "loopback", main: [][]string{{"127.0.0.1"}}, want: check.AddressNotAllowed},
		{name: "the primary is private", main: [][]string{{public}}, primary: [][]string{{private}}, want: check.AddressNotAllowed},
		{name: "the target is private and its primary is not", main: [][]string{{private}}, primary: [][]string{{public}}, want: check.AddressNotAllowed},
		{name: "a host with many addresses", main: [][]string{{
			"203.0.112.1", "203.0.112.2", "203.0.112.3", "203.0.112.4", "203.0.112.5", "203.0.112.6",
		}}, dialled: []string{"203.0.112.1", "203.0.112.2", "203.0.112.3", "203.0.112.4"}},
		{name: "no address at all", main: [][]string{{}}, want: check.NoIPv4Address},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newTargetSource(t, 5433)
			w := &watched{answers: map[string][][]string{"main": c.main, "primary": c.primary}}
			s.prober = w.prober(t, "")
			s.target.Endpoint.Hostname, s.target.Endpoint.IPv6 = "main", c.ipv6
			if c.primary != nil {
				primary := s.target.Endpoint
				primary.Hostname = "primary"
				s.target.Primary = &primary
			}
			report := s.probe()
			want := make([]string, 0, len(c.dialled))
			for _, a := range c.dialled {
				want = append(want, net.JoinHostPort(a, strconv.Itoa(5433)))
			}
			if len(w.dialled) != len(want) {
				t.Fatalf("dialled %v, want %v", w.dialled, want)
			}
			for i := range want {
				if w.dialled[i] != want[i] {
					t.Errorf("dialled %v, want %v", w.dialled, want)
				}
			}
			if _, ok := entry(report, c.want); c.want != "" && !ok {
				t.Errorf("no %s in%s", c.want, describe(report))
			}
			for host, n := range w.lookups {
				if n > 1 {
					t.Errorf("%s was looked up %d times", host, n)
				}
			}
		})
	}
}

func TestProbe_ForbiddenPrimary(t *testing.T) {
	t.Parallel()
	s := newTargetSource(t, 5433)
	w := &watched{answers: map[string][][]string{"main": {{"203.0.112.1"}}, "primary": {{"10.0.0.1"}}}}
	s.prober = w.prober(t, "")
	s.target.Endpoint.Hostname = "main"
	primary := s.target.Endpoint
	primary.Hostname = "primary"
	s.target.Primary = &primary
	report := s.probe()
	const want = `primary.hostname "primary" leads to an address that is not on the public internet, and this deployment does not allow its range`
	if c, _ := report.FirstFailure(); c.Message != want {
		t.Errorf("got %q, want %q", c.Message, want)
	}
	if got := status(report, check.Connection); got != check.Skipped {
		t.Errorf("the connection is %s", got)
	}
}

// TestSafety_AddressesAreLoggedNotAnswered looks up names that lead to addresses of
// the deployment's network, allowed and not.
func TestSafety_AddressesAreLoggedNotAnswered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		allow, address string
		want           check.Code
	}{
		{"", "10.0.0.7", check.AddressNotAllowed},
		{"", "169.254.169.254", check.AddressNotAllowed},
		{"10.0.0.0/8", "10.0.0.7", check.ConnectionLost},
	} {
		t.Run(c.address+" with "+c.allow, func(t *testing.T) {
			t.Parallel()
			s := newTargetSource(t, 5433)
			w := &watched{answers: map[string][][]string{"main": {{c.address}}}}
			s.prober = w.prober(t, c.allow)
			s.target.Endpoint.Hostname = "main"
			ctx := requestlog.Start(t.Context())
			report := s.prober.Probe(ctx, s.target).Report
			if found, ok := entry(report, c.want); !ok || !strings.Contains(found.Message, "main") {
				t.Errorf("no %s about main in%s", c.want, describe(report))
			}
			if strings.Contains(describe(report), c.address) {
				t.Errorf("the address is in%s", describe(report))
			}
			var line bytes.Buffer
			requestlog.Entry{Kind: requestlog.Request}.Write(ctx, slog.New(slog.NewJSONHandler(&line, nil)), "")
			if !strings.Contains(line.String(), `"addresses":["`+c.address) {
				t.Errorf("the line is %s", line.String())
			}
		})
	}
}

func TestProbe_AllowedLocalhost(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	s.target.Endpoint.Hostname = "localhost"
	if failure, failed := s.probe().FirstFailure(); failed {
		t.Errorf("%s: %s", failure.Code, failure.Message)
	}
}

func TestProbe_NextAddress(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	s.target.Endpoint.Hostname = "two-addresses"
	s.prober = resolvingTo(t, "127.9.9.9", "127.0.0.1")
	if failure, failed := s.probe().FirstFailure(); failed {
		t.Errorf("%s: %s", failure.Code, failure.Message)
	}
}
