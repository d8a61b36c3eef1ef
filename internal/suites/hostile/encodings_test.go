package hostile_test

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/unicode/norm"
)

// planted is the password that servers repeat. Its forms in SQL, JSON, URLs and
// SASLprep all differ.
const planted = `Zq7"ﬁxtU\Kw'9 Vé%Lm3+p/Hn5&Gt`

// encoding is a way to write a password.
type encoding struct {
	name   string
	encode func(string) string
}

func encodings() []encoding {
	return []encoding{
		{"as it is", func(p string) string { return p }},
		{"SASLprep", norm.NFKC.String},
		{"JSON", func(p string) string { return asJSON(p) }},
		{"unicode escapes", func(p string) string {
			var b strings.Builder
			for _, r := range p {
				fmt.Fprintf(&b, `\u%04x`, r)
			}
			return b.String()
		}},
		{"URL query", url.QueryEscape},
		{"URL path", url.PathEscape},
		{"base64", func(p string) string { return base64.StdEncoding.EncodeToString([]byte(p)) }},
		{"base64 of URLs", func(p string) string { return base64.RawURLEncoding.EncodeToString([]byte(p)) }},
		{"base64 of UTF-16", func(p string) string { return base64.StdEncoding.EncodeToString(littleEndian(p)) }},
		{"base32", func(p string) string { return base32.StdEncoding.EncodeToString([]byte(p)) }},
		{"hex", func(p string) string { return hex.EncodeToString([]byte(p)) }},
		{"upper-case hex", func(p string) string { return strings.ToUpper(hex.EncodeToString([]byte(p))) }},
		{"bytea", func(p string) string { return `\x` + hex.EncodeToString([]byte(p)) }},
		{"reversed", reversed},
		{"upper-case", strings.ToUpper},
		{"lower-case", strings.ToLower},
		{"split by zero-width spaces", func(p string) string { return split(p, "\u200b") }},
		{"split by spaces", func(p string) string { return split(p, " ") }},
		{"split by control characters", func(p string) string { return split(p, "\x01") }},
		{"split by points", func(p string) string { return split(p, ".") }},
		{"SQL literal", func(p string) string { return literal(p) }},
		{"SQL identifier", ident},
		{"HTML", html.EscapeString},
		{"Go", func(p string) string { return fmt.Sprintf("%q", p) }},
		{"base64 twice", func(p string) string {
			return base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(p))))
		}},
		{"URL query twice", func(p string) string { return url.QueryEscape(url.QueryEscape(p)) }},
		{"in a text", func(p string) string { return "role cdc, " + p + ", is wrong" }},
	}
}

func asJSON(p string) string {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func littleEndian(p string) []byte {
	var b []byte
	for _, unit := range utf16.Encode([]rune(p)) {
		b = append(b, byte(unit), byte(unit>>8))
	}
	return b
}

func reversed(p string) string {
	runes := []rune(p)
	slices.Reverse(runes)
	return string(runes)
}

func split(p, by string) string { return strings.Join(strings.Split(p, ""), by) }

// folded returns the letters and digits of a text, in one case and without
// compatibility forms, so that two texts can be compared whatever is between them.
func folded(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, norm.NFKC.String(text))
}

// leaked returns the names of the encodings in which the planted password is in a
// text.
func leaked(text string) []string {
	var found []string
	text = folded(text) + " " + folded(unescaped(text))
	for _, e := range encodings() {
		if strings.Contains(text, folded(e.encode(planted))) {
			found = append(found, e.name)
		}
	}
	return found
}

// unescaped returns a JSON text with the characters that its escapes stand for.
func unescaped(text string) string {
	return regexp.MustCompile(`\\u[0-9a-fA-F]{4}`).ReplaceAllStringFunc(text, func(escape string) string {
		n, err := strconv.ParseUint(escape[2:], 16, 32)
		if err != nil {
			return escape
		}
		return string(rune(n))
	})
}
