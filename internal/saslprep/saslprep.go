// Package saslprep prepares passwords for SCRAM as PostgreSQL and libpq do. The
// libraries for it build tables at the start of the process, which took a twentieth of
// a cold start, and drop zero-width spaces, which PostgreSQL does not.
package saslprep

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Map returns password mapped and normalized by SASLprep (RFC 4013), or as it is if
// nothing would be left of it. It does not look for what SASLprep prohibits, where
// servers take a password as it is.
func Map(password string) string {
	const dropped = -1
	mapped := norm.NFKC.String(strings.Map(func(r rune) rune {
		switch {
		case isSpace(r):
			return ' '
		case isIgnored(r):
			return dropped
		}
		return r
	}, password))
	if mapped == "" {
		return password
	}
	return mapped
}

// isSpace reports whether r is in table C.1.2 of RFC 3454, spaces other than ASCII's.
func isSpace(r rune) bool {
	return r == 0xA0 || r == 0x1680 || r >= 0x2000 && r <= 0x200B || r == 0x202F || r == 0x205F || r == 0x3000
}

// isIgnored reports whether r is in table B.1 of RFC 3454, characters that are commonly
// mapped to nothing.
func isIgnored(r rune) bool {
	return r == 0xAD || r == 0x34F || r == 0x1806 || r >= 0x180B && r <= 0x180D || r >= 0x200B && r <= 0x200D ||
		r == 0x2060 || r >= 0xFE00 && r <= 0xFE0F || r == 0xFEFF
}
