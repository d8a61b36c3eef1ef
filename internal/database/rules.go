package database

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/strictjson"
)

// Limits of the payload's fields; lengths are in bytes.
const (
	maxAccount     = 64
	maxName        = 255
	maxHostname    = 253 // of a DNS name (RFC 1035)
	maxPort        = 65535
	maxIdentifier  = 63 // Postgres's NAMEDATALEN - 1
	maxPassword    = 4096
	maxRootCert    = 16 << 10
	maxAnnotations = 8 << 10
	maxSecretARN   = 640 // the name in it has at most 512 characters
)

const maskRefused = "must be the password itself, not the mask shown in its place"

// length returns what is wrong with the length of a string of 1 to maxBytes bytes.
func length(s string, maxBytes int) string {
	switch {
	case s == "":
		return "must not be empty"
	case len(s) > maxBytes:
		return "must be at most " + strconv.Itoa(maxBytes) + " bytes"
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

// IsUUID reports whether s has the form 8-4-4-4-12 of a UUID. A path's segment of
// that form is an ID, any other is a name.
func IsUUID(s string) bool {
	const canonical = 36 // uuid.Validate also takes longer and shorter forms
	return len(s) == canonical && uuid.Validate(s) == nil
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

// IsAccount reports whether s can be an account: 1 to 64 of A–Z a–z 0–9 _ -.
func IsAccount(s string) bool {
	return s != "" && len(s) <= maxAccount && only(s, func(c byte) bool { return isAlpha(c) || isDigit(c) || c == '_' || c == '-' })
}

// AccountRule returns what is wrong with s as an account, or the empty string.
func AccountRule(s string) string {
	if !IsAccount(s) {
		return "must be 1 to 64 of A-Z a-z 0-9 _ -"
	}
	return ""
}

// identifierRule refuses control characters: no database, role or publication
// needs them, and a server that is not Postgres could take them for the end of a
// line.
func identifierRule(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '\x7f' }) {
		return "must not contain control characters"
	}
	return length(s, maxIdentifier)
}

func passwordRule(s string) string {
	if s == Mask {
		return maskRefused
	}
	if strings.ContainsRune(s, 0) {
		return "must not contain a NUL"
	}
	return length(s, maxPassword)
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

func authenticationRule(s string) string {
	if s != AuthenticationPassword && s != AuthenticationRDSIAM {
		return `must be "password" or "rds_iam"`
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
	if problem := length(s, maxHostname); problem != "" {
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

// isDNSName reports whether s can be looked up. RFC 952 allows no underscore in a
// host name, but resolvers and container networks do.
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
	// A last label of digits makes a mistyped IPv4 address, or one in another form.
	return !only(labels[len(labels)-1], isDigit)
}

// arnRule accepts the ARNs of secrets in AWS Secrets Manager. Names of the secrets that
// RDS manages have an exclamation mark.
func arnRule(s string) string {
	parts := strings.SplitN(s, ":", 7)
	allowed := func(c byte) bool { return isAlpha(c) || isDigit(c) || strings.IndexByte("/_+=.@-!", c) >= 0 }
	if len(s) > maxSecretARN || len(parts) != 7 || parts[0] != "arn" || !strings.HasPrefix(parts[1], "aws") || parts[2] != "secretsmanager" ||
		parts[3] == "" || len(parts[4]) != 12 || !only(parts[4], isDigit) || parts[5] != "secret" || parts[6] == "" ||
		!only(parts[1]+parts[3]+parts[6], allowed) {
		return "must be the ARN of a secret in AWS Secrets Manager"
	}
	return ""
}

func rootCertRule(s string) string {
	const malformed = "must be the authority's certificates in PEM, and nothing else"
	if len(s) > maxRootCert {
		return "must be at most 16 KiB (16,384 bytes)"
	}
	rest := bytes.TrimSpace([]byte(s))
	if len(rest) == 0 {
		return malformed
	}
	for len(rest) > 0 {
		block, after := pem.Decode(rest)
		// Decode skips text and blocks that it can't read.
		if begin := []byte("-----BEGIN "); block == nil || len(block.Headers) > 0 ||
			!bytes.HasPrefix(rest, begin) || bytes.Count(rest[:len(rest)-len(after)], begin) > 1 {
			return malformed
		}
		if block.Type != "CERTIFICATE" {
			return "must hold certificates only, not " + strictjson.Bounded(block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return "has a certificate that can't be parsed"
		}
		rest = bytes.TrimSpace(after)
	}
	return ""
}
