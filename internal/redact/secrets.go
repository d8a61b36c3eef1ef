package redact

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"

	"github.com/headgate/headgate/internal/saslprep"
)

// minSearched is the length from which a password is searched for within text.
// Shorter ones occur in ordinary words.
const minSearched = 6

// Secrets are passwords, with the forms in which a server may repeat them.
type Secrets struct {
	// short have fewer than minSearched bytes.
	short []string
	// folded has the forms as fold returns them, forms those in lower case that have too
	// few letters and digits for that.
	folded, forms []string
}

// NewSecrets returns the passwords, of which some may be empty.
func NewSecrets(passwords ...string) Secrets {
	var s Secrets
	for _, p := range passwords {
		if p == "" {
			continue
		}
		if len(p) < minSearched {
			s.short = append(s.short, p)
			continue
		}
		for _, prepared := range preparations(p) {
			for _, form := range formsOf(prepared) {
				// What is found folded need not be searched for as it is.
				if f := fold(form); len(f) >= minSearched {
					s.folded = append(s.folded, f)
				} else if len(form) >= minSearched {
					s.forms = append(s.forms, lower(form))
				}
			}
		}
	}
	slices.Sort(s.forms)
	slices.Sort(s.folded)
	s.forms, s.folded = slices.Compact(s.forms), slices.Compact(s.folded)
	return s
}

// In reports whether text has one of the passwords in one of its forms, whatever is
// between its letters and digits. A password of fewer than 6 bytes is found only if it
// is all of text.
func (s Secrets) In(text string) bool {
	if slices.Contains(s.short, text) {
		return true
	}
	return containsAny(lower(text), s.forms) || containsAny(fold(text), s.folded)
}

func containsAny(text string, forms []string) bool {
	return slices.ContainsFunc(forms, func(form string) bool { return strings.Contains(text, form) })
}

// fold returns the letters and digits of s in lower case, without accents and the
// compatibility forms of Unicode.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, norm.NFKD.String(s))
}

// lower folds the case of ASCII letters, which some servers change, and which does not
// matter in hexadecimal.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// preparations returns the password as it is, and as a login with SCRAM prepares it, which
// is the same for most.
func preparations(p string) []string {
	all := []string{p, saslprep.Map(p)}
	if s, err := precis.OpaqueString.String(p); err == nil {
		all = append(all, s)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// formsOf returns the encodings of p.
func formsOf(p string) []string {
	reversed := []rune(p)
	slices.Reverse(reversed)
	forms := []string{
		p, string(reversed), strings.TrimSpace(p), Line(p, 4*len(p)),
		strings.ReplaceAll(p, `'`, `''`), strings.ReplaceAll(p, `"`, `""`), strings.ReplaceAll(p, `\`, `\\`),
		strings.ReplaceAll(strings.ReplaceAll(p, `\`, `\\`), `'`, `''`),
		url.QueryEscape(p), url.PathEscape(p), percentEncoded(p), html.EscapeString(p),
		hex.EncodeToString([]byte(p)), strings.TrimRight(spacedHex(p, " "), " "), strings.TrimRight(spacedHex(p, ":"), ":"),
		inner(strconv.Quote(p)), inner(strconv.QuoteToASCII(p)), escaped(p),
		url.QueryEscape(url.QueryEscape(p)), url.PathEscape(url.PathEscape(p)), url.PathEscape(url.QueryEscape(p)),
		strings.TrimRight(base32.StdEncoding.EncodeToString([]byte(p)), "="),
		base64.RawStdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(p)))),
		base64.RawStdEncoding.EncodeToString(utf16Bytes(p, binary.LittleEndian)), base64.RawStdEncoding.EncodeToString(utf16Bytes(p, binary.BigEndian)),
	}
	if b, err := json.Marshal(p); err == nil {
		forms = append(forms, inner(string(b)), inner(inner(strconv.Quote(string(b)))))
	}
	return append(forms, base64Forms(p)...)
}

// inner returns a quoted text without its quotes.
func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// escaped returns p with every character as an escape of JSON.
func escaped(p string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(p)) {
		fmt.Fprintf(&b, `\u%04x`, unit)
	}
	return b.String()
}

func utf16Bytes(p string, order binary.AppendByteOrder) []byte {
	var b []byte
	for _, unit := range utf16.Encode([]rune(p)) {
		b = order.AppendUint16(b, unit)
	}
	return b
}

func percentEncoded(p string) string {
	return "%" + strings.TrimRight(spacedHex(p, "%"), "%")
}

func spacedHex(p, separator string) string {
	var b strings.Builder
	for i := range len(p) {
		b.WriteString(hex.EncodeToString([]byte{p[i]}) + separator)
	}
	return b.String()
}

// base64Forms returns the part of base64 that p determines, at each of the three
// positions that it can have in a longer text.
func base64Forms(p string) []string {
	const group, bitsOfByte, bitsOfDigit = 3, 8, 6
	var forms []string
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range group {
			encoded := encoding.EncodeToString(append(make([]byte, before), p...))
			first := (before*bitsOfByte + bitsOfDigit - 1) / bitsOfDigit
			last := (before + len(p)) * bitsOfByte / bitsOfDigit
			forms = append(forms, encoded[first:last])
		}
	}
	return forms
}
