package hostile_test

import (
	"math/rand/v2"
	"strings"
	"unicode/utf8"
)

// fragments returns what hostile names are made of.
func fragments() []string {
	return []string{
		"\x01", "\x03", "\x07", "\b", "\t", "\n", "\v", "\f", "\r\n", "\x1b[2J", "\x1b]0;t\x07", "\x7f", "\u0080", "\u0085", "\u009b31m",
		"\u00ad", "\u061c", "\u200b", "\u200d", "\u200e", "\u200f", "\u2028", "\u2029", "\u202a", "\u202d", "\u202e", "\u2060", "\u2066",
		"\u2067", "\u2069", "\ufeff", "\ufff9", "\U000e0041", "\U0001d173",
		`"`, `""`, `'`, `''`, `\`, `\\`, `\'`, `\"`, "`", `$$`, `$x$`, `--`, `/*`, `*/`, `;`, `:name`, `:'name'`, `:"name"`, `%s`, `${HOME}`, `$(id)`,
		`U&"`, `\0041`, `\+00000A`, `E'\n'`, ` UESCAPE '!'`, "a b", " ", "名", "🐘", "e\u0301", "ﬁ", "\uE000",
	}
}

// attacks returns names that run something if they get out of their quotes. mark is a
// file that a shell would create.
func attacks(mark string) []string {
	return []string{
		"x\x03\n\\! touch " + mark + "\n", "\n\\! touch " + mark + "\n--", "\\! touch " + mark, "x\"\n\\! touch " + mark + "\n\"",
		"\"; CREATE TABLE canary (); --", "'; CREATE TABLE canary (); --", "\n\\copy (select 1) to " + mark + "\n",
		"\n\\o |touch " + mark + "\nSELECT 1\n", "`touch " + mark + "`", "x\"; DROP TABLE orders; --", "\\\"; CREATE TABLE canary (); --",
		"$$; CREATE TABLE canary (); --", "\r\\! touch " + mark + "\r", "\u2028\\! touch " + mark + "\u2028", "\\gexec",
		"x\n\nSELECT 'CREATE TABLE canary ()' \\gexec\n",
	}
}

// maxNameBytes is Postgres's limit.
const maxNameBytes = 63

// hostileNames returns n names of at most 63 bytes, all different.
func hostileNames(r *rand.Rand, mark string, n int) []string {
	seen := map[string]bool{}
	var names []string
	take := func(name string) {
		if name = fit(name); name != "" && !seen[name] && !strings.HasPrefix(name, "pg_") {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, name := range attacks(mark) {
		take(name)
	}
	for _, f := range fragments() {
		take(f)
		take("a" + f + "b")
	}
	for len(names) < n {
		var name strings.Builder
		for range 1 + r.IntN(8) {
			name.WriteString(pick(r, append(fragments(), attacks(mark)...)))
		}
		if r.IntN(5) == 0 { // up to the limit
			name.WriteString(strings.Repeat(pick(r, []string{`"`, `'`, `\`, "x", "名", "\u202e", "\x01"}), maxNameBytes))
		}
		take(name.String())
	}
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names[:n]
}

// fit returns the beginning of a name, as Postgres cuts it.
func fit(name string) string {
	for len(name) > maxNameBytes {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return name
}

// acceptable reports whether the API takes a name: it has no control characters.
func acceptable(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f })
}
