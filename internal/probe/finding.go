package probe

import (
	"strings"
	"unicode"

	"github.com/headgate/headgate/internal/check"
)

func failed(name string, code check.Code, message, fix string) *check.Entry {
	return &check.Entry{Name: name, Status: check.Failed, Code: code, Message: message, Fix: fix}
}

func warned(name string, code check.Code, message, fix string) *check.Entry {
	return &check.Entry{Name: name, Status: check.Warned, Code: code, Message: message, Fix: fix}
}

// printable is text from a server, made fit for an answer: one line of at most
// 300 characters.
func printable(s string) string {
	const most = 300
	var b strings.Builder
	n := 0
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if n++; n > most {
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
