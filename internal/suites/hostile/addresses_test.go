package hostile_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/headgate/headgate/internal/testkit/gateway"
)

// wiretap records what a prober looks up and dials. No dial succeeds.
type wiretap struct {
	mu sync.Mutex
	// answers has the addresses of names, by the number of the look-up; every other
	// name has the addresses of the empty one.
	answers map[string][][]netip.Addr
	lookups map[string]int
	dialled []netip.AddrPort
}

func (w *wiretap) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil // as net.Resolver does
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	host = strings.TrimSuffix(host, ".")
	answers, known := w.answers[host]
	if !known {
		answers = w.answers[""]
	}
	n := w.lookups[host]
	w.lookups[host]++
	if len(answers) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return answers[min(n, len(answers)-1)], nil
}

func (w *wiretap) DialContext(_ context.Context, _, address string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dialled = append(w.dialled, netip.MustParseAddrPort(address))
	return nil, errors.New("nothing listens")
}

// taken returns what was dialled since the last call.
func (w *wiretap) taken() []netip.AddrPort {
	w.mu.Lock()
	defer w.mu.Unlock()
	dialled := w.dialled
	w.dialled, w.lookups = nil, map[string]int{}
	return dialled
}

// newTappedStack returns a stack whose look-ups have the wiretap's answers.
func newTappedStack(t *testing.T, allow, runtime string) (*stack, *wiretap) {
	t.Helper()
	s, w := newStack(t, allow, runtime), &wiretap{answers: map[string][][]netip.Addr{}, lookups: map[string]int{}}
	s.prober.Client.Resolver, s.prober.Client.Dialer = w, w
	return s, w
}

// source returns the payload of a create with a host.
func source(host string, port int) map[string]any {
	return map[string]any{
		"name": "orders", "hostname": host, "port": port, "database": "app", "username": "cdc", "password": "a password", "ssl": false,
		"replication_slots": []any{map[string]any{"publication_name": "pub", "slot_name": "slot"}},
	}
}

// harmless is the public address of a target whose primary is not.
const harmless = "8.8.8.8"

// payloads returns creates that lead to the host, as target, as primary, and by URL.
func payloads(host string) []map[string]any {
	var all []map[string]any
	for _, ipv6 := range []bool{false, true} {
		direct, replica, byURL := source(host, 5432), source(harmless, 5432), source("", 0)
		direct["ipv6"] = ipv6
		primary := source(host, 5432)
		delete(primary, "name")
		delete(primary, "replication_slots")
		primary["ipv6"], replica["primary"] = ipv6, primary
		for _, name := range []string{"hostname", "port", "database", "username", "password"} {
			delete(byURL, name)
		}
		byURL["url"], byURL["ipv6"] = "postgres://cdc:secret@"+host+":5432/app", ipv6
		if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
			byURL["url"] = "postgres://cdc:secret@[" + host + "]:5432/app"
		}
		all = append(all, direct, replica, byURL)
	}
	return all
}

// forbid sends payloads that must not be dialled. where says what they lead to.
func (s *stack) forbid(w *wiretap, where string, all []map[string]any) []answer {
	s.t.Helper()
	var answers []answer
	for _, p := range all {
		a := s.dryRun(p)
		total.add(addressesTried, 1)
		// A target is dialled where only its primary's name has no address.
		dialled := slices.DeleteFunc(w.taken(), func(a netip.AddrPort) bool { return a.Addr().String() == harmless })
		if len(dialled) > 0 {
			total.add(addressesDialled, len(dialled))
			s.fail("dialled", "%s: dialled %v for %v", where, dialled, p)
		}
		if a.status != 422 {
			s.fail("status", "%s: status %d for %v", where, a.status, p)
		}
		answers = append(answers, a)
	}
	return answers
}

// try sends the addresses as literals in every spelling, and behind a name.
func (s *stack) try(w *wiretap, addresses []netip.Addr) {
	s.t.Helper()
	for _, a := range addresses {
		for _, spelling := range spellings(a) {
			// By family and place, and not each with each: there are many spellings.
			all := payloads(spelling)
			s.forbid(w, spelling, []map[string]any{all[0], all[4], all[5]})
		}
		w.answers[""] = [][]netip.Addr{{a}}
		for _, host := range []string{"db.example", "db.example.", "127.1.example"} {
			for _, got := range s.forbid(w, host+" is "+a.String(), payloads(host)) {
				s.checkAddressUnsaid(host, a, got)
			}
		}
		w.answers[""] = nil
	}
}

// checkAddressUnsaid checks that an answer does not tell what a name leads to.
func (s *stack) checkAddressUnsaid(host string, a netip.Addr, got answer) {
	s.t.Helper()
	body := strings.ReplaceAll(got.body, host, "")
	for _, text := range []string{a.String(), a.Unmap().String(), a.StringExpanded()} {
		if len(text) > len("::1") && strings.Contains(body, text) {
			total.add(leaksFound, 1)
			s.fail("address told", "the answer about %s tells its address %s: %s", host, a, cut(body))
			return
		}
	}
}

func TestAddresses_Never(t *testing.T) {
	t.Parallel()
	for name, allow := range map[string]string{"nothing allowed": "", "all that can be allowed": liftable, "everything": "0.0.0.0/0,::/0"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newTappedStack(t, allow, "")
			r := random("addresses", 0)
			for _, cidr := range slices.Concat(neverIPv4(), neverIPv6()) {
				for _, a := range addressesOf(r, cidr) {
					s.try(w, []netip.Addr{a})
					if a.Is4() {
						s.try(w, embedded(a))
					}
				}
			}
		})
	}
}

func TestAddresses_NotAllowed(t *testing.T) {
	t.Parallel()
	s, w := newTappedStack(t, "", "")
	r := random("addresses", 1)
	for _, cidr := range slices.Concat(liftableIPv4(), liftableIPv6()) {
		for _, a := range addressesOf(r, cidr) {
			s.try(w, []netip.Addr{a})
			if a.Is4() {
				s.try(w, embedded(a))
			}
		}
	}
}

// TestAddresses_Allowed shows that the others are refused for what they are: what is
// allowed, and the public internet, is dialled.
func TestAddresses_Allowed(t *testing.T) {
	t.Parallel()
	s, w := newTappedStack(t, liftable, "")
	allowed := []string{"10.0.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "::1", "fd12::1", "fc00::1"}
	for _, host := range append(allowed, public()...) {
		a := netip.MustParseAddr(host)
		w.answers["db.example"] = [][]netip.Addr{{a}}
		for _, h := range []string{host, "db.example"} {
			p := source(h, 5432)
			p["ipv6"] = a.Is6()
			got := s.dryRun(p)
			if len(w.taken()) == 0 {
				t.Errorf("%s (%s) was not dialled: %s", h, host, cut(got.body))
			}
			if h != host && slices.Contains(allowed, host) {
				s.checkAddressUnsaid(h, a, got)
			}
		}
	}
}

func TestAddresses_Rebinding(t *testing.T) {
	t.Parallel()
	s, w := newTappedStack(t, liftable, "")
	good, bad := netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("169.254.169.254")
	t.Run("what is dialled is what was looked up first", func(t *testing.T) {
		w.answers["db.example"] = [][]netip.Addr{{good}, {bad}}
		s.dryRun(source("db.example", 5432))
		if got := w.taken(); len(got) == 0 || got[0].Addr() != good || got[len(got)-1].Addr() != good {
			t.Errorf("dialled %v, want %v alone", got, good)
		}
	})
	t.Run("one address of many is enough to refuse", func(t *testing.T) {
		for place := range 6 {
			all := slices.Repeat([]netip.Addr{good}, 6)
			all[place] = bad
			w.answers["db.example"] = [][]netip.Addr{all}
			s.forbid(w, fmt.Sprintf("place %d", place), payloads("db.example")[:1])
		}
	})
}

func TestAddresses_RuntimeAPI(t *testing.T) {
	t.Parallel()
	s, w := newTappedStack(t, liftable, "127.0.0.1:9001")
	for _, host := range []string{
		"127.0.0.1", "127.0.0.2", "127.255.255.255", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "::127.0.0.1", "::ffff:0:127.0.0.1",
		"2002:7f00:1::", "64:ff9b::127.0.0.1", "localhost", "ip6-localhost",
	} {
		w.answers[""] = [][]netip.Addr{{netip.MustParseAddr("127.0.0.1")}}
		all := payloads(host)
		for _, p := range all {
			setPort(p, 9001)
		}
		s.forbid(w, host, all)
	}
	if s.dryRun(source("127.0.0.1", 9002)); len(w.taken()) == 0 {
		t.Error("another port of the same address was not dialled")
	}
}

// setPort sets every port of a payload.
func setPort(p map[string]any, port int) {
	if url, ok := p["url"].(string); ok {
		p["url"] = strings.ReplaceAll(url, ":5432/", fmt.Sprintf(":%d/", port))
		return
	}
	if p["port"] = port; p["primary"] != nil {
		p["primary"].(map[string]any)["port"] = port
	}
}

// TestAddresses_Later looks up a name that leads elsewhere after the registration.
func TestAddresses_Later(t *testing.T) {
	t.Parallel()
	s, w := newTappedStack(t, "", "")
	s.register("orders", "db.example", w)
	s.prober.Client.Dialer = w
	for _, bad := range []string{"127.0.0.1", "169.254.169.254", "10.0.0.1", "100.100.100.200"} {
		w.answers["db.example"] = [][]netip.Addr{{netip.MustParseAddr(bad)}}
		for _, request := range []struct{ method, target string }{
			{"POST", "/test_connection"}, {"POST", "/refresh_tables"}, {"PATCH", ""},
		} {
			var payload any
			if request.method == "PATCH" {
				payload = map[string]any{"password": "another"}
			}
			got := s.send(request.method, gateway.Collection+"/orders"+request.target, payload)
			total.add(addressesTried, 1)
			if dialled := w.taken(); len(dialled) > 0 || got.status != 422 {
				total.add(addressesDialled, len(dialled))
				t.Errorf("%s %s: status %d, dialled %v", request.method, request.target, got.status, dialled)
			}
			s.checkAddressUnsaid("db.example", netip.MustParseAddr(bad), got)
		}
	}
}
