package hostile_test

import (
	"math/rand/v2"
	"net/netip"
)

// liftable are the ranges that EGRESS_ALLOW can allow.
const liftable = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,127.0.0.0/8,::1/128,fc00::/7"

// neverIPv4 returns the IPv4 ranges that are never dialled, whatever is allowed: those
// of IANA's special-purpose registry that cannot be lifted, and AWS's own addresses.
func neverIPv4() []string {
	return []string{
		"0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",
		"169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32", "169.254.169.253/32", "169.254.169.123/32", // AWS
		"100.100.100.200/32", // Alibaba's metadata service
	}
}

// neverIPv6 returns the IPv6 ranges that are never dialled: everything outside
// 2000::/3 that cannot be lifted, and parts of what is inside.
func neverIPv6() []string {
	return []string{
		"::/128", "::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "200::/7", "400::/6",
		"800::/5", "1000::/4", "2001::/23", "2001::/32", "2001:2::/48", "2001:10::/28", "2001:20::/28", "2001:db8::/32", "3fff::/20",
		"4000::/3", "5f00::/16", "6000::/3", "8000::/3", "a000::/3", "c000::/3", "e000::/4", "f000::/5", "f800::/6", "fe00::/9",
		"fe80::/10", "fec0::/10", "ff00::/8",
		"fd00:ec2::/32", "fd00:ec2::254/128", "fd00:ec2::23/128", "fd00:ec2::253/128", "fd00:ec2::123/128", // AWS
		"fd20:ce::254/128", // Google's metadata service
	}
}

// liftableIPv4 and liftableIPv6 return the ranges that are dialled only where they are
// allowed.
func liftableIPv4() []string {
	return []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8"}
}

func liftableIPv6() []string { return []string{"::1/128", "fc00::/7"} }

// public returns addresses that are dialled, next to those that are not.
func public() []string {
	return []string{
		"8.8.8.8", "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
		"169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0",
		"198.17.255.255", "198.20.0.0", "223.255.255.255", "2600:1f18::1", "2000::1", "2001:200::1", "3ffe::1", "2a00:1450:4001::8a",
	}
}

// addressesOf returns the first and the last address of a range, and one in between.
func addressesOf(r *rand.Rand, cidr string) []netip.Addr {
	prefix := netip.MustParsePrefix(cidr)
	first, last := prefix.Masked().Addr().AsSlice(), prefix.Masked().Addr().AsSlice()
	between := prefix.Masked().Addr().AsSlice()
	for bit := prefix.Bits(); bit < len(first)*8; bit++ {
		mask := byte(0x80) >> (bit % 8)
		last[bit/8] |= mask
		if r.IntN(2) == 1 {
			between[bit/8] |= mask
		}
	}
	found := []netip.Addr{prefix.Masked().Addr()}
	for _, b := range [][]byte{last, between} {
		if a, ok := netip.AddrFromSlice(b); ok && a != found[0] {
			found = append(found, a)
		}
	}
	return found
}

// embedded returns IPv6 addresses that lead to an IPv4 address somewhere on the way.
func embedded(a netip.Addr) []netip.Addr {
	b := a.As4()
	with := func(prefix string, at int, flip byte) netip.Addr {
		bytes := netip.MustParseAddr(prefix).As16()
		for i := range b {
			bytes[at+i] = b[i] ^ flip
		}
		return netip.AddrFrom16(bytes)
	}
	return []netip.Addr{
		with("::ffff:0:0", 12, 0),           // mapped
		with("::", 12, 0),                   // compatible
		with("::ffff:0:0:0", 12, 0),         // SIIT
		with("64:ff9b::", 12, 0),            // NAT64
		with("64:ff9b:1::", 12, 0),          // NAT64 of a site
		with("64:ff9b:1:abcd::", 12, 0),     // NAT64 of a site
		with("2002::1", 2, 0),               // 6to4
		with("2001:0:808:808::", 12, 0xff),  // Teredo: the client
		with("2001::f7f7:f7f7", 4, 0),       // Teredo: the server
		with("fe80::200:5efe:0:0", 12, 0),   // ISATAP
		with("::ffff:ffff:0:0", 12, 0),      // a misspelt mapped one
		with("0:0:0:0:1:ffff:0:0", 12, 0),   // another one
		with("2001:db8:64:ff9b:0::", 12, 0), // NAT64 of a documentation prefix
		with("fec0::ffff:0:0:0", 12, 0),     // of a site-local one
		with("ff02::ffff:0:0", 12, 0),       // of multicast
		with("5f00::", 12, 0),               // of segment routing
		with("4000::", 12, 0),               // of what is not assigned
		with("64:ff9a::", 12, 0),            // beside NAT64
	}
}
