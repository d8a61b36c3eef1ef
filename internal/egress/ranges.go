package egress

import "net/netip"

// classify returns Allowed for an address on the public internet, Private for one
// in a range that a deployment can allow, and Forbidden for any other. The ranges are
// those of IANA's special-purpose registries (RFC 6890 and its successors).
func classify(addr netip.Addr) Verdict {
	switch {
	case within(addr, services()):
		return Forbidden
	case within(addr, private()):
		return Private
	case within(addr, reserved()):
		return Forbidden
	case addr.Is6() && !within(addr, global()):
		return Forbidden
	}
	return Allowed
}

// within reports whether addr is in one of the ranges.
func within(addr netip.Addr, ranges []string) bool {
	for _, s := range ranges {
		if netip.MustParsePrefix(s).Contains(addr) {
			return true
		}
	}
	return false
}

// services returns the addresses of the services that clouds give to each instance,
// such as those of metadata, which serve credentials without authentication. They
// are never allowed, although some are in private ranges.
func services() []string {
	return []string{
		"169.254.0.0/16", "fd00:ec2::/32", // AWS
		"100.100.100.200/32", // Alibaba Cloud
		"fd20:ce::254/128",   // Google Cloud
		"168.63.129.16/32",   // Azure
	}
}

// private returns the ranges in which a deployment can have databases of its own.
func private() []string {
	return []string{
		"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", // private (RFC 1918)
		"100.64.0.0/10", // carrier-grade NAT (RFC 6598)
		"127.0.0.0/8", "::1/128",
		"fc00::/7", // unique local (RFC 4193)
	}
}

// reserved returns the ranges that are never allowed. IPv6 addresses outside global
// are not allowed either.
func reserved() []string {
	return []string{
		"0.0.0.0/8", "192.0.0.0/24", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4",
		"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", // documentation (RFC 5737)
		"192.88.99.0/24",             // deprecated 6to4 relays (RFC 7526)
		"2001::/23",                  // protocol assignments, with Teredo
		"2001:db8::/32", "3fff::/20", // documentation
	}
}

// global returns the ranges of IPv6 in which addresses are assigned to networks.
func global() []string { return []string{"2000::/3"} }

// embedded returns the IPv4 address in an IPv6 address of 6to4 (2002::/16) or ISATAP
// (RFC 5214), and whether there is one. The ranges of other forms (NAT64, SIIT,
// Teredo, IPv4-compatible) are never allowed.
func embedded(addr netip.Addr) (netip.Addr, bool) {
	if !addr.Is6() {
		return netip.Addr{}, false
	}
	b := addr.As16()
	const universal = 0x02 // the bit that an interface identifier may have set
	switch {
	case b[0] == 0x20 && b[1] == 0x02:
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case b[8]&^universal == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe:
		return netip.AddrFrom4([4]byte(b[12:16])), true
	}
	return netip.Addr{}, false
}
