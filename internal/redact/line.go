// Package redact makes text of callers and servers fit to be shown: in characters
// that a terminal and a reader can't mistake, in a bounded size, and without
// passwords.
package redact

import (
	"strings"
	"unicode"
)

// Displayable reports whether r shows as itself. Control, format and bidirectional
// characters do not, nor do line and paragraph separators, spaces other than the
// ordinary one, and characters without a width.
func Displayable(r rune) bool {
	return unicode.IsPrint(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Line returns s as one line of at most maxBytes bytes of displayable characters.
// Others become spaces. A text that is cut ends with an ellipsis.
func Line(s string, maxBytes int) string {
	const ellipsis = "…"
	var b strings.Builder
	for _, r := range s {
		if !Displayable(r) {
			r = ' '
		}
		if b.Len()+len(string(r)) > maxBytes-len(ellipsis) {
			b.WriteString(ellipsis)
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}
