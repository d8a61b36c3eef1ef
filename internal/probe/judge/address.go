package judge

import (
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

// judgeAddress reports a forbidden primary too. Another failure of the primary's
// address is part of the standby check: the primary may not be needed at all.
func judgeAddress(s subject) []check.Entry {
	findings := addressFindings(s.server)
	if s.primary != nil && s.primary.Forbidden() {
		findings = append(findings, addressFindings(*s.primary)...)
	}
	return findings
}

func addressFindings(s server) []check.Entry {
	f := s.StoppedAt(facts.Resolved)
	if f == nil {
		return nil
	}
	host := s.path + "hostname " + quote.Name(s.endpoint.Hostname)
	fail := func(code check.Code, message, fix string) []check.Entry {
		return []check.Entry{check.Fail(check.Address, code, host+message, fix)}
	}
	switch f.Kind {
	case facts.NoAddress:
		return fail(check.HostnameNotFound, " has no address in DNS", "")
	case facts.AddressNotAllowed:
		return fail(check.AddressNotAllowed, " leads to an address that is "+f.Detail, "")
	case facts.AddressPrivate:
		return fail(check.AddressNotAllowed, " leads to an address that is "+f.Detail,
			"add the address or its range to EGRESS_ALLOW of this deployment, if it may reach it: the address is in the line of this request in the deployment's log")
	case facts.WrongFamily:
		if s.endpoint.IPv6 {
			return fail(check.NoIPv6Address, " has only IPv4 addresses, and "+s.path+"ipv6 is true", s.send(`"ipv6": false`))
		}
		return fail(check.NoIPv4Address, " has only IPv6 addresses, and "+s.path+"ipv6 is false", s.send(`"ipv6": true`))
	default: // facts.LookupFailed
		return fail(check.HostnameNotFound, " could not be looked up in DNS: the name server did not answer", "")
	}
}
