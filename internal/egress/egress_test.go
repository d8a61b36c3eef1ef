package egress_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/egress"
)

func policy(t *testing.T, allow, runtime string) egress.Policy {
	t.Helper()
	p, err := egress.New(allow, runtime)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestJudge(t *testing.T) {
	t.Parallel()
	const everything = "0.0.0.0/0, ::/0"
	tests := []struct {
		name, allow, addr string
		want              egress.Verdict
	}{
		{"a public IPv4 address is allowed", "", "8.8.8.8", egress.Allowed},
		{"a public IPv6 address is allowed", "", "2600:1f18::1", egress.Allowed},
		{"a private address is private", "", "10.1.2.3", egress.Private},
		{"a private address is allowed if its range is", "10.0.0.0/8", "10.1.2.3", egress.Allowed},
		{"an allowed range allows no other", "10.0.0.0/8", "192.168.0.1", egress.Private},
		{"a single address can be allowed", "192.168.0.1", "192.168.0.1", egress.Allowed},
		{"172.16/12 is private", "", "172.31.255.255", egress.Private},
		{"172.32 is public", "", "172.32.0.1", egress.Allowed},
		{"carrier-grade NAT is private", "", "100.64.0.1", egress.Private},
		{"carrier-grade NAT can be allowed", "100.64.0.0/10", "100.64.0.1", egress.Allowed},
		{"loopback is private", "", "127.0.0.1", egress.Private},
		{"loopback can be allowed", "127.0.0.0/8", "127.0.0.1", egress.Allowed},
		{"IPv6 loopback is private", "", "::1", egress.Private},
		{"IPv6 loopback can be allowed", "::1/128", "::1", egress.Allowed},
		{"unique local is private", "", "fd12::1", egress.Private},
		{"unique local can be allowed", "fc00::/7", "fd12::1", egress.Allowed},
		{"link-local is never allowed", everything, "169.254.1.1", egress.Forbidden},
		{"the metadata service is never allowed", everything, "169.254.169.254", egress.Forbidden},
		{"the IPv6 metadata service is never allowed", everything, "fd00:ec2::254", egress.Forbidden},
		{"IPv6 link-local is never allowed", everything, "fe80::1", egress.Forbidden},
		{"unspecified is never allowed", everything, "0.0.0.0", egress.Forbidden},
		{"0/8 is never allowed", everything, "0.1.2.3", egress.Forbidden},
		{"IPv6 unspecified is never allowed", everything, "::", egress.Forbidden},
		{"multicast is never allowed", everything, "224.0.0.1", egress.Forbidden},
		{"IPv6 multicast is never allowed", everything, "ff02::1", egress.Forbidden},
		{"broadcast is never allowed", everything, "255.255.255.255", egress.Forbidden},
		{"documentation is forbidden", "", "203.0.113.9", egress.Forbidden},
		{"IPv6 documentation is forbidden", "", "2001:db8::1", egress.Forbidden},
		{"benchmarking is forbidden", "", "198.19.0.1", egress.Forbidden},
		{"192.0.0/24 is forbidden", "", "192.0.0.8", egress.Forbidden},
		{"site-local is forbidden", "", "fec0::1", egress.Forbidden},
		{"mapped loopback is loopback", "", "::ffff:127.0.0.1", egress.Private},
		{"mapped loopback is allowed as IPv4", "127.0.0.0/8", "::ffff:127.0.0.1", egress.Allowed},
		{"the mapped metadata service is forbidden", everything, "::ffff:169.254.169.254", egress.Forbidden},
		{"an IPv4-compatible address is forbidden", everything, "::10.0.0.1", egress.Forbidden},
		{"NAT64 is forbidden", everything, "64:ff9b::a00:1", egress.Forbidden},
		{"local NAT64 is forbidden", everything, "64:ff9b:1::1", egress.Forbidden},
		{"6to4 of a private address is private", "", "2002:a00:1::", egress.Private},
		{"6to4 of the metadata service is forbidden", everything, "2002:a9fe:a9fe::", egress.Forbidden},
		{"6to4 of a public address is allowed", "", "2002:808:808::", egress.Allowed},
		{"Teredo is forbidden", everything, "2001:0:1::f5ff:fffe", egress.Forbidden},
		{"an address with a zone is forbidden", everything, "fe80::1%eth0", egress.Forbidden},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := policy(t, tt.allow, "").Judge(netip.MustParseAddr(tt.addr), 5432)
			if got != tt.want {
				t.Errorf("Judge(%s) with %q allowed = %v, want %v", tt.addr, tt.allow, got, tt.want)
			}
		})
	}
}

// TestSafety_JudgeIPv6 has the addresses outside the assigned part of IPv6, the forms
// that embed IPv4, and the clouds' own services.
func TestSafety_JudgeIPv6(t *testing.T) {
	t.Parallel()
	const everything = "0.0.0.0/0,::/0"
	tests := map[string][]string{
		"SIIT of the metadata service":   {"::ffff:0:169.254.169.254"},
		"SIIT of a public address":       {"::ffff:0:8.8.8.8"},
		"outside the assigned part":      {"4000::1", "1::1", "5f00::1", "8000::1", "e000::1", "fbff::1", "fe00::1", "200::1", "100::1"},
		"protocol assignments":           {"2001::1", "2001:1ff:ffff::1", "2001:2::1", "2001:20::1", "2001:10::1"},
		"documentation":                  {"2001:db8:ffff::1", "3fff:fff::1"},
		"services of AWS":                {"fd00:ec2::23", "fd00:ec2::253", "fd00:ec2:ffff::1", "169.254.0.1", "169.254.170.2", "169.254.170.23", "::ffff:169.254.170.2"},
		"services of other clouds":       {"100.100.100.200", "fd20:ce::254", "168.63.129.16"},
		"6to4 of a service":              {"2002:a9fe:aa02::1", "2002:6464:64c8::1"},
		"ISATAP of a service":            {"2600::5efe:169.254.169.254", "2600::200:5efe:169.254.169.254"},
		"NAT64 and IPv4-compatible":      {"64:ff9b::8.8.8.8", "64:ff9b:1::8.8.8.8", "::8.8.8.8"},
		"link-local and multicast, IPv6": {"fe80::1", "febf::1", "fec0::1", "ff02::1"},
	}
	for name, addresses := range tests {
		t.Run(name+" is forbidden whatever is allowed", func(t *testing.T) {
			t.Parallel()
			for _, a := range addresses {
				for _, allow := range []string{"", everything, "fc00::/7,100.64.0.0/10,::1"} {
					if got := policy(t, allow, "").Judge(netip.MustParseAddr(a), 5432); got != egress.Forbidden {
						t.Errorf("Judge(%s) with %q allowed = %v", a, allow, got)
					}
				}
			}
		})
	}
	for _, a := range []string{"2001:200::1", "2400::1", "2a05:d018::1", "3ffe::1", "2600::5efe:8.8.8.8"} {
		if got := policy(t, "", "").Judge(netip.MustParseAddr(a), 5432); got != egress.Allowed {
			t.Errorf("Judge(%s) = %v", a, got)
		}
	}
	if got := policy(t, "", "").Judge(netip.MustParseAddr("2600::5efe:10.0.0.1"), 5432); got != egress.Private {
		t.Errorf("ISATAP of a private address is %v", got)
	}
}

func TestSafety_NewRefusesEntriesWithoutEffect(t *testing.T) {
	t.Parallel()
	for _, item := range []string{
		"8.8.8.8", "8.8.8.0/24", "169.254.0.0/16", "169.254.169.254", "fd00:ec2::/32", "fd00:ec2::254/128", "100.100.100.200",
		"fd20:ce::254", "2001:db8::/32", "64:ff9b::/96", "2002:a00::/24", "fe80::/10", "224.0.0.0/4", "4000::/3", "::ffff:10.0.0.0/104",
	} {
		_, err := egress.New("10.0.0.0/8, "+item, "")
		if err == nil || !strings.Contains(err.Error(), `"`+item+`"`) {
			t.Errorf("New with %s: %v", item, err)
		}
	}
	for _, item := range []string{"0.0.0.0/0", "::/0", "10.1.2.3", "fd00::/8", "fd00::/16", "100.100.0.0/16", "127.0.0.1", "::1", "fc00::/7", "::ffff:10.0.0.1"} {
		if _, err := egress.New(item, ""); err != nil {
			t.Errorf("New with %s: %v", item, err)
		}
	}
}

func TestJudge_RuntimeAPI(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, runtime, addr string
		port                int
		want                egress.Verdict
	}{
		{"its address and port", "127.0.0.1:9001", "127.0.0.1", 9001, egress.RuntimeAPI},
		{"another loopback address of its port", "127.0.0.1:9001", "127.0.0.2", 9001, egress.RuntimeAPI},
		{"its port on IPv6 loopback", "127.0.0.1:9001", "::1", 9001, egress.RuntimeAPI},
		{"its mapped address", "127.0.0.1:9001", "::ffff:127.0.0.1", 9001, egress.RuntimeAPI},
		{"a runtime named localhost", "localhost:9001", "127.0.0.1", 9001, egress.RuntimeAPI},
		{"another port", "127.0.0.1:9001", "127.0.0.1", 5432, egress.Allowed},
		{"another host's port", "169.254.100.1:9001", "8.8.8.8", 9001, egress.Allowed},
		{"an address that is not loopback", "10.0.0.1:9001", "10.0.0.1", 9001, egress.RuntimeAPI},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := policy(t, "127.0.0.0/8,::1,10.0.0.0/8", tt.runtime)
			if got := p.Judge(netip.MustParseAddr(tt.addr), tt.port); got != tt.want {
				t.Errorf("Judge(%s, %d) = %v, want %v", tt.addr, tt.port, got, tt.want)
			}
		})
	}
}

func TestNew_Malformed(t *testing.T) {
	t.Parallel()
	for _, allow := range []string{"10.0.0.0/33", "private", "10.0.0.0/8,x"} {
		if _, err := egress.New(allow, ""); err == nil {
			t.Errorf("New(%q) returned no error", allow)
		}
	}
	if _, err := egress.New("", "nowhere"); err == nil {
		t.Error("New returned no error for a Runtime API without a port")
	}
}
