package ask

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/egress"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/requestlog"
)

const (
	// lookupTimeout bounds a DNS look-up; Go's resolver waits 5 s for each try.
	lookupTimeout = 4 * time.Second
	// maxAddresses bounds how many of a host's addresses are dialled.
	maxAddresses = 4
)

// resolve returns the addresses of e that may be dialled.
func (c *Client) resolve(ctx context.Context, e database.Endpoint) ([]netip.AddrPort, *facts.Failure) {
	if ctx.Err() != nil {
		return nil, &facts.Failure{Kind: facts.OutOfTime}
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	all, err := c.lookUp(ctx, e.Hostname)
	if err != nil {
		return nil, lookupFailure(err)
	}
	var wanted, other []netip.Addr
	for _, a := range all {
		if a = a.Unmap(); a.Is6() == e.IPv6 {
			wanted = append(wanted, a)
		} else {
			other = append(other, a)
		}
	}
	// The policy comes first, so that a forbidden host is reported as such even if
	// its addresses are of the other family.
	candidates := wanted
	if len(wanted) == 0 {
		candidates = other
	}
	for _, a := range candidates {
		if failure := c.forbidden(a, e.Port); failure != nil {
			requestlog.AddAddress(ctx, a.String())
			return nil, failure
		}
	}
	if len(wanted) == 0 {
		return nil, &facts.Failure{Kind: facts.WrongFamily}
	}
	addrs := make([]netip.AddrPort, 0, maxAddresses)
	for _, a := range wanted[:min(len(wanted), maxAddresses)] {
		addrs = append(addrs, netip.AddrPortFrom(a, uint16(e.Port)))
	}
	return addrs, nil
}

// lookUp returns the addresses of host. A name is absolute: with the search list of
// the system's resolver, a caller would reach names of this deployment's network.
func (c *Client) lookUp(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	name := strings.TrimSuffix(host, ".")
	if strings.EqualFold(name, "localhost") { // RFC 6761; it has no absolute form in the hosts file
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, nil
	}
	return c.Resolver.LookupNetIP(ctx, "ip", name+".")
}

func lookupFailure(err error) *facts.Failure {
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return &facts.Failure{Kind: facts.NoAddress}
	}
	return &facts.Failure{Kind: facts.LookupFailed}
}

// forbidden returns why a may not be dialled, or nil.
func (c *Client) forbidden(a netip.Addr, port int) *facts.Failure {
	failure := facts.Failure{IPv6: a.Is6()}
	switch v := c.Egress.Judge(a, port); v {
	case egress.Allowed:
		return nil
	case egress.Private:
		failure.Kind, failure.Detail = facts.AddressPrivate, v.String()
	default:
		failure.Kind, failure.Detail = facts.AddressNotAllowed, v.String()
	}
	return &failure
}
