package database

import (
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"strconv"
	"strings"
)

// Limits of the payload's fields, in bytes. 63 is Postgres's longest identifier
// (NAMEDATALEN - 1), 253 the longest DNS name (RFC 1035).
const (
	maxName       = 255
	maxHostname   = 253
	maxIdentifier = 63
	maxPassword   = 4096
	maxRootCert   = 16 << 10
)

func sized(s string, most int) string {
	switch {
	case s == "":
		return "must not be empty"
	case len(s) > most:
		return "must be at most " + strconv.Itoa(most) + " bytes"
	case strings.ContainsRune(s, 0):
		return "must not contain a NUL"
	}
	return ""
}

func only(s string, allowed func(c byte) bool) bool {
	for i := range len(s) {
		if !allowed(s[i]) {
			return false
		}
	}
	return true
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isAlpha(c byte) bool { return isLower(c) || c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// IsUUID tells whether s has the form of a UUID (8-4-4-4-12 hexadecimal
// digits): such a path segment is an ID, any other a name.
func IsUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !isDigit(c) && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return false
			}
		}
	}
	return true
}

func nameRule(s string) string {
	allowed := func(c byte) bool { return isAlpha(c) || isDigit(c) || c == '_' || c == '-' || c == '.' }
	switch {
	case s == "" || len(s) > maxName:
		return "must be 1 to 255 characters long"
	case !only(s, allowed):
		return "may hold only letters (A-Z, a-z), digits, _, - and ."
	case s == "." || s == "..":
		return "must not be . or .."
	case IsUUID(s):
		return "must not have the form of a UUID: paths take those as IDs"
	}
	return ""
}

// IsAccount tells whether s can be an account: 1 to 64 of A–Z a–z 0–9 _ -.
func IsAccount(s string) bool {
	const most = 64
	return s != "" && len(s) <= most && only(s, func(c byte) bool { return isAlpha(c) || isDigit(c) || c == '_' || c == '-' })
}

func accountRule(s string) string {
	if !IsAccount(s) {
		return "must be 1 to 64 of A-Z a-z 0-9 _ -"
	}
	return ""
}

func identifierRule(s string) string { return sized(s, maxIdentifier) }

func passwordRule(s string) string {
	if s == Mask {
		return "must be the password itself, not the mask shown in its place"
	}
	return sized(s, maxPassword)
}

func slotNameRule(s string) string {
	if s == "" || len(s) > maxIdentifier {
		return "must be 1 to 63 characters long"
	}
	if !only(s, func(c byte) bool { return isLower(c) || isDigit(c) || c == '_' }) {
		return "may hold only lower-case letters (a-z), digits and _"
	}
	return ""
}

func statusRule(s string) string {
	if s != SlotActive && s != SlotDisabled {
		return `must be "active" or "disabled"`
	}
	return ""
}

func sslModeRule(s string) string {
	if s != SSLModeRequire && s != SSLModeVerifyFull {
		return `must be "require" or "verify-full"`
	}
	return ""
}

func hostnameRule(s string) string {
	if problem := sized(s, maxHostname); problem != "" {
		return problem
	}
	if addr, err := netip.ParseAddr(s); err == nil {
		if addr.Zone() != "" {
			return "must be an address without a zone"
		}
		return ""
	}
	switch {
	case strings.Contains(s, "://"):
		return "must be a host name alone, without a scheme; a whole URL goes into url"
	case strings.HasPrefix(s, "["):
		return "must be an IPv6 address without brackets"
	case strings.ContainsAny(s, "/\\"):
		return "must be a host name or an IP address, not a path or a socket directory"
	case strings.Contains(s, ":"):
		return "must be a host name alone; the port goes into port"
	case !isDNSName(s):
		return "must be a DNS name or an IP address"
	}
	return ""
}

// isDNSName tells whether s can be looked up. An underscore is not a host
// name's by RFC 952, but resolvers and container networks have such names.
func isDNSName(s string) bool {
	labels := strings.Split(strings.TrimSuffix(s, "."), ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
		if !only(l, func(c byte) bool { return isAlpha(c) || isDigit(c) || c == '-' || c == '_' }) {
			return false
		}
	}
	// A last label of digits is an IPv4 address that is mistyped or in disguise.
	return !only(labels[len(labels)-1], isDigit)
}

// arnRule: an ARN of Secrets Manager's, whose names have at most 512 characters.
func arnRule(s string) string {
	const most = 640
	parts := strings.SplitN(s, ":", 7)
	allowed := func(c byte) bool { return isAlpha(c) || isDigit(c) || strings.IndexByte("/_+=.@-", c) >= 0 }
	if len(s) > most || len(parts) != 7 || parts[0] != "arn" || !strings.HasPrefix(parts[1], "aws") || parts[2] != "secretsmanager" ||
		parts[3] == "" || len(parts[4]) != 12 || !only(parts[4], isDigit) || parts[5] != "secret" || parts[6] == "" ||
		!only(parts[1]+parts[3]+parts[6], allowed) {
		return "must be the ARN of a secret in AWS Secrets Manager"
	}
	return ""
}

func rootCertRule(s string) string {
	if len(s) > maxRootCert {
		return "must be at most 16 KiB"
	}
	rest := []byte(s)
	found := 0
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return "must hold certificates only, and no " + bounded(block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return "holds a certificate that can't be read"
		}
		found++
	}
	if found == 0 || strings.TrimSpace(string(rest)) != "" {
		return "must be the authority's certificates in PEM"
	}
	return ""
}
