// Package quote writes names and text that come from a caller or a server into
// SQL, JSON and messages.
package quote

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
)

// Identifier returns name as an SQL identifier.
func Identifier(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Qualified returns the parts of a name as an SQL identifier: "schema"."table".
func Qualified(parts []string) string {
	quoted := make([]string, len(parts))
	for i, p := range parts {
		quoted[i] = Identifier(p)
	}
	return strings.Join(quoted, ".")
}

// Literal returns s as an SQL string literal. A backslash makes it an E-string,
// which means the same whatever standard_conforming_strings is.
func Literal(s string) string {
	quoted := `'` + strings.ReplaceAll(s, `'`, `''`) + `'`
	if strings.Contains(s, `\`) {
		return `E` + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}

// Name returns a name as messages show it.
func Name(s string) string { return `"` + s + `"` }

// JSON returns s as a JSON string.
func JSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return strconv.Quote(s)
	}
	return string(b)
}

// Printable returns text from a server in a form that fits a message: one line of
// at most 300 characters.
func Printable(s string) string {
	const maxRunes = 300
	var b strings.Builder
	n := 0
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if n++; n > maxRunes {
			b.WriteString("…")
			break
		}
		if !unicode.IsPrint(r) {
			r = ' '
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}
