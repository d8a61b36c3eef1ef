package egress

import "net/netip"

// classify returns Allowed for an address on the public internet, Private for one
// in a range that a deployment can allow, and Forbidden for any other. The ranges are
// those of IANA's special-purpose registries (RFC 6890 and its successors).
func classify(addr netip.Addr) Verdict {
	for _, s := range metadata() {
		if addr == netip.MustParseAddr(s) {
			return Forbidden
		}
	}
	for _, s := range private() {
		if netip.MustParsePrefix(s).Contains(addr) {
			return Private
		}
	}
	for _, s := range reserved() {
		if netip.MustParsePrefix(s).Contains(addr) {
			return Forbidden
		}
	}
	if !addr.IsGlobalUnicast() {
		return Forbidden
	}
	return Allowed
}

// metadata returns the addresses of instance metadata services, which serve
// credentials without authentication.
func metadata() []string {
	return []string{"169.254.169.254", "fd00:ec2::254"}
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

// reserved returns the ranges that are never allowed.
func reserved() []string {
	return []string{
		"0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4",
		"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", // documentation (RFC 5737)
		"192.88.99.0/24", // deprecated 6to4 relays (RFC 7526)
		"::/96",          // unspecified, and IPv4-compatible
		"64:ff9b::/96",   // NAT64: the address that is reached is not known here
		"64:ff9b:1::/48",
		"100::/64",                   // discard-only (RFC 6666)
		"2001:db8::/32", "3fff::/20", // documentation
		"fe80::/10", "fec0::/10", "ff00::/8",
	}
}

// embedded returns the IPv4 address in an IPv6 address of 6to4 (2002::/16), Teredo
// (2001::/32), NAT64 or the IPv4-compatible form, and whether there is one.
func embedded(addr netip.Addr) (netip.Addr, bool) {
	if !addr.Is6() || addr.IsLoopback() {
		return netip.Addr{}, false
	}
	b := addr.As16()
	in := func(prefix string) bool { return netip.MustParsePrefix(prefix).Contains(addr) }
	switch {
	case in("2002::/16"):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case in("2001::/32"):
		return netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}), true
	case in("64:ff9b::/96"), in("::/96"):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	}
	return netip.Addr{}, false
}
