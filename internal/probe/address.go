package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/egress"
)

const (
	// lookupTime bounds a DNS look-up; Go's resolver gives a server 5 s a try.
	lookupTime = 4 * time.Second
	// mostAddresses bounds how many of a host's addresses are tried.
	mostAddresses = 4
)

// resolver looks a host's addresses up; net.DefaultResolver is one.
type resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// resolve gives the addresses of e that may be dialled: it is looked up once,
// and what was judged here is what is dialled. field is the path of e's
// hostname in the payload, for messages.
func (p *Prober) resolve(ctx context.Context, e database.Endpoint, field string) ([]netip.AddrPort, *check.Entry) {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	all, err := p.Resolver.LookupNetIP(ctx, "ip", e.Hostname)
	if err != nil {
		return nil, lookupFailure(e, field, err)
	}
	var wanted, other []netip.Addr
	for _, a := range all {
		if a = a.Unmap(); a.Is6() == e.IPv6 {
			wanted = append(wanted, a)
		} else {
			other = append(other, a)
		}
	}
	// Whether an address is allowed is judged first, also of the family that is
	// not asked for where it is the only one.
	judged := wanted
	if len(wanted) == 0 {
		judged = other
	}
	for _, a := range judged {
		if v := p.Egress.Judge(a, e.Port); v != egress.Allowed {
			return nil, notAllowed(field, e.Hostname, a, v)
		}
	}
	if len(wanted) == 0 {
		return nil, wrongFamily(e, field)
	}
	dialled := make([]netip.AddrPort, 0, mostAddresses)
	for _, a := range wanted[:min(len(wanted), mostAddresses)] {
		dialled = append(dialled, netip.AddrPortFrom(a, uint16(e.Port)))
	}
	return dialled, nil
}

func lookupFailure(e database.Endpoint, field string, err error) *check.Entry {
	message := field + " " + quoteName(e.Hostname) + " has no address in DNS"
	if dns, ok := errors.AsType[*net.DNSError](err); !ok || !dns.IsNotFound {
		message = field + " " + quoteName(e.Hostname) + " could not be looked up in DNS: the name server did not answer"
	}
	return failed(check.Address, check.HostnameNotFound, message, "")
}

func notAllowed(field, host string, a netip.Addr, v egress.Verdict) *check.Entry {
	message := field + " " + quoteName(host) + " leads to " + a.String() + ", which is " + v.String()
	fix := ""
	if v == egress.Private {
		fix = "add " + a.String() + " or its range to EGRESS_ALLOW of this deployment, if it may reach it"
	}
	return failed(check.Address, check.AddressNotAllowed, message, fix)
}

func wrongFamily(e database.Endpoint, field string) *check.Entry {
	prefix := strings.TrimSuffix(field, "hostname")
	if e.IPv6 {
		return failed(check.Address, check.NoIPv6Address,
			field+" "+quoteName(e.Hostname)+" has only IPv4 addresses, and "+prefix+"ipv6 is true",
			`send "ipv6": false`)
	}
	return failed(check.Address, check.NoIPv4Address,
		field+" "+quoteName(e.Hostname)+" has only IPv6 addresses, and "+prefix+"ipv6 is false",
		`send "ipv6": true`)
}

// quoteName is a name of the caller's as a message has it.
func quoteName(s string) string { return `"` + s + `"` }
