package hostile_test

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// printable returns what an answer's texts hold that a terminal or a reader could
// take for something else, or nothing. Names in the list of a publication's tables
// are data, and not checked.
func (a answer) printable() string {
	texts := map[string]string{"summary": a.Summary}
	for i, f := range a.findings() {
		texts[fmt.Sprintf("message %d, of %s", i, f.Code)] = f.Message
		texts[fmt.Sprintf("fix %d, of %s", i, f.Code)] = f.Fix
	}
	for where, text := range texts {
		if r, found := unprintable(text); found {
			return fmt.Sprintf("the %s has %U: %q", where, r, cut(text))
		}
	}
	return ""
}

// unprintable returns the first character of text that is a control or format
// character, a separator of lines or paragraphs, or not valid.
func unprintable(text string) (rune, bool) {
	for i, r := range text {
		if r == utf8.RuneError && text[i] != "\uFFFD"[0] {
			return r, true
		}
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return r, true
		}
	}
	return 0, false
}
