// Package egress decides which addresses may be dialled. The caller of the API
// chooses the host, so without it the function would be a way into its network.
package egress

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Verdict is what the policy says of one address.
type Verdict int

// The verdicts. Only Allowed may be dialled.
const (
	Allowed    Verdict = iota
	Forbidden          // never, whatever is configured
	Private            // not on the public internet; EGRESS_ALLOW may lift it
	RuntimeAPI         // the function's own runtime, never
)

// String is the verdict as a message has it.
func (v Verdict) String() string {
	switch v {
	case Allowed:
		return "allowed"
	case Private:
		return "not on the public internet, and this deployment does not allow its range"
	case RuntimeAPI:
		return "this function's own runtime"
	default:
		return "in a range that is never allowed"
	}
}

// Policy says which addresses may be dialled: the public internet, and what
// was allowed beside it. The zero Policy allows the public internet alone.
type Policy struct {
	allow   []netip.Prefix
	runtime runtimeAPI
}

// runtimeAPI is where the function's own runtime listens.
type runtimeAPI struct {
	port uint16
	addr netip.Addr // invalid where the host is a name: then all of loopback
}

// New makes a policy from a comma-separated list of CIDRs (a single address is
// one too), that may lift private, carrier-grade NAT, unique-local and loopback
// ranges, and from the host:port in AWS_LAMBDA_RUNTIME_API, which is refused
// always. Both may be empty.
func New(allow, runtime string) (Policy, error) {
	var p Policy
	for item := range strings.SplitSeq(allow, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		prefix, err := parsePrefix(item)
		if err != nil {
			return Policy{}, fmt.Errorf("%q is not a CIDR such as 10.0.0.0/8", item)
		}
		p.allow = append(p.allow, prefix)
	}
	if runtime != "" {
		i := strings.LastIndexByte(runtime, ':')
		port, err := strconv.ParseUint(runtime[i+1:], 10, 16)
		if i < 0 || err != nil {
			return Policy{}, fmt.Errorf("%q is not the host:port of a runtime", runtime)
		}
		p.runtime.port = uint16(port)
		if addr, err := netip.ParseAddr(strings.Trim(runtime[:i], "[]")); err == nil {
			p.runtime.addr = addr.Unmap()
		}
	}
	return p, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return prefix.Masked(), nil
}

// Judge says whether addr may be dialled at port. An IPv4 address inside an
// IPv6 one is judged too: whichever of the two is worse counts.
func (p Policy) Judge(addr netip.Addr, port int) Verdict {
	if addr.Zone() != "" {
		return Forbidden
	}
	addr = addr.Unmap()
	if p.isRuntime(addr, port) {
		return RuntimeAPI
	}
	verdict := p.judge(addr)
	if inner, ok := embedded(addr); ok && verdict != Forbidden {
		if p.isRuntime(inner, port) {
			return RuntimeAPI
		}
		verdict = worse(verdict, p.judge(inner))
	}
	return verdict
}

func worse(a, b Verdict) Verdict {
	switch {
	case a == Forbidden || b == Forbidden:
		return Forbidden
	case a == Private || b == Private:
		return Private
	}
	return Allowed
}

func (p Policy) judge(addr netip.Addr) Verdict {
	switch classify(addr) {
	case Allowed:
		return Allowed
	case Forbidden:
		return Forbidden
	}
	for _, prefix := range p.allow {
		if prefix.Contains(addr) {
			return Allowed
		}
	}
	return Private
}

func (p Policy) isRuntime(addr netip.Addr, port int) bool {
	if p.runtime.port == 0 || port != int(p.runtime.port) {
		return false
	}
	r := p.runtime.addr
	// All of loopback is one host, and a server there may listen on all of it.
	if !r.IsValid() || r.IsLoopback() || r.IsUnspecified() {
		return addr.IsLoopback()
	}
	return addr == r
}
