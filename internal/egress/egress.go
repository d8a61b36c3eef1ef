// Package egress decides which addresses may be dialled. The caller of the API
// chooses the host: without the policy, a function would be a proxy into its own
// network (server-side request forgery).
package egress

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Verdict is the decision about one address.
type Verdict int

// The verdicts. Only Allowed may be dialled.
const (
	Allowed    Verdict = iota
	Forbidden          // never allowed
	Private            // not on the public internet; EGRESS_ALLOW can allow it
	RuntimeAPI         // the function's own Runtime API; never allowed
)

// String returns the verdict as the end of a sentence: "which is …".
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

// Policy allows the public internet, and other ranges that were allowed explicitly.
// The zero Policy allows only the public internet.
type Policy struct {
	allow   []netip.Prefix
	runtime runtimeAPI
}

// runtimeAPI is the address of the function's own Runtime API.
type runtimeAPI struct {
	port uint16
	addr netip.Addr // invalid if the host is a name; then any loopback address matches
}

// New returns a policy. allow is a comma-separated list of CIDRs or addresses, which
// can allow private, carrier-grade NAT, unique-local and loopback ranges. An entry
// without any effect is an error, since it does not do what it was written for.
// runtime is the host:port in AWS_LAMBDA_RUNTIME_API, which is never allowed. Both may be empty.
func New(allow, runtime string) (Policy, error) {
	var p Policy
	for item := range strings.SplitSeq(allow, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		prefix, err := parsePrefix(item)
		if err != nil {
			return Policy{}, fmt.Errorf("parse allowed range %q: not a CIDR such as 10.0.0.0/8", item)
		}
		if !effective(prefix) {
			return Policy{}, fmt.Errorf("parse allowed range %q: it has no effect, because its addresses are allowed anyway or never", item)
		}
		p.allow = append(p.allow, prefix)
	}
	if runtime != "" {
		i := strings.LastIndexByte(runtime, ':')
		port, err := strconv.ParseUint(runtime[i+1:], 10, 16)
		if i < 0 || err != nil {
			return Policy{}, fmt.Errorf("parse Runtime API address %q: not host:port", runtime)
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

// effective reports whether prefix has addresses that only an entry of the list
// allows.
func effective(prefix netip.Prefix) bool {
	for _, s := range private() {
		common := netip.MustParsePrefix(s)
		if !common.Overlaps(prefix) {
			continue
		}
		if prefix.Bits() > common.Bits() {
			common = prefix
		}
		if !covered(common, services()) {
			return true
		}
	}
	return false
}

// covered reports whether one of ranges has all of prefix.
func covered(prefix netip.Prefix, ranges []string) bool {
	for _, s := range ranges {
		if r := netip.MustParsePrefix(s); r.Bits() <= prefix.Bits() && r.Contains(prefix.Addr()) {
			return true
		}
	}
	return false
}

// Judge decides whether addr may be dialled at port. An IPv6 address that embeds an
// IPv4 address gets the stricter verdict of the two.
func (p Policy) Judge(addr netip.Addr, port int) Verdict {
	if addr.Zone() != "" {
		return Forbidden
	}
	addr = addr.Unmap()
	if p.isRuntime(addr, port) {
		return RuntimeAPI
	}
	verdict := p.judgeOne(addr)
	if inner, ok := embedded(addr); ok && verdict != Forbidden {
		if p.isRuntime(inner, port) {
			return RuntimeAPI
		}
		verdict = stricter(verdict, p.judgeOne(inner))
	}
	return verdict
}

func stricter(a, b Verdict) Verdict {
	switch {
	case a == Forbidden || b == Forbidden:
		return Forbidden
	case a == Private || b == Private:
		return Private
	}
	return Allowed
}

// judgeOne decides about addr without what it embeds.
func (p Policy) judgeOne(addr netip.Addr) Verdict {
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
	// A server on loopback may listen on all loopback addresses.
	if !r.IsValid() || r.IsLoopback() || r.IsUnspecified() {
		return addr.IsLoopback()
	}
	return addr == r
}
