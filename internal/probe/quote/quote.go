// Package quote writes names and text that come from a caller or a server into
// SQL, JSON and messages.
package quote

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/headgate/headgate/internal/redact"
)

// Identifier returns name as an SQL identifier that can be shown and pasted: a name
// with characters that are not displayable becomes U&"…", with those escaped.
func Identifier(name string) string {
	if displayable(name) {
		return RawIdentifier(name)
	}
	var b strings.Builder
	for _, r := range name {
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case redact.Displayable(r):
			b.WriteRune(r)
		case r > maxBMP:
			fmt.Fprintf(&b, `\+%06X`, r)
		default:
			fmt.Fprintf(&b, `\%04X`, r)
		}
	}
	return `U&` + RawIdentifier(b.String())
}

// RawIdentifier returns name as an SQL identifier for a statement that is sent, not
// shown.
func RawIdentifier(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// maxBMP is the last code point that four hexadecimal digits can write.
const maxBMP = 0xFFFF

// Escaped reports whether name is shown with escapes: where it does not show as itself.
func Escaped(name string) bool { return !displayable(name) }

// displayable reports whether s can be shown as it is.
func displayable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !redact.Displayable(r) })
}

// Qualified returns the parts of a name as an SQL identifier: "schema"."table".
func Qualified(parts []string) string {
	quoted := make([]string, len(parts))
	for i, p := range parts {
		quoted[i] = Identifier(p)
	}
	return strings.Join(quoted, ".")
}

// Literal returns s as an SQL string literal that can be shown and pasted: characters
// that are not displayable are escaped. A backslash makes it an E-string, which means
// the same whatever standard_conforming_strings is; a U&-string does not.
func Literal(s string) string {
	if displayable(s) {
		return RawLiteral(s)
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r == '\'':
			b.WriteString(`''`)
		case redact.Displayable(r):
			b.WriteRune(r)
		case r > maxBMP:
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			fmt.Fprintf(&b, `\u%04X`, r)
		}
	}
	return `E'` + b.String() + `'`
}

// RawLiteral is Literal for a statement that is sent, not shown.
func RawLiteral(s string) string {
	quoted := `'` + strings.ReplaceAll(s, `'`, `''`) + `'`
	if strings.Contains(s, `\`) {
		return `E` + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}

// Name returns a name as messages show it, with characters that are not displayable
// escaped.
func Name(s string) string {
	if displayable(s) {
		return `"` + s + `"`
	}
	return JSON(s)
}

// JSON returns s as a JSON string that can be shown and pasted.
func JSON(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '"', r == '\\':
			b.WriteString(`\` + string(r))
		case redact.Displayable(r):
			b.WriteRune(r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
	}
	return `"` + b.String() + `"`
}

// Printable returns text from a server in a form that fits a message: one line of
// at most 600 bytes.
func Printable(s string) string {
	const maxBytes = 600
	return redact.Line(s, maxBytes)
}
