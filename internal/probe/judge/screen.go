package judge

import (
	"slices"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/redact"
)

// maxMessage bounds a message, in bytes.
const maxMessage = 2 << 10

// maxFix bounds a fix before its size as sent is looked at, in bytes.
const maxFix = 64 << 10

// screen returns report as it may leave this package, whoever wrote its texts: in
// displayable characters, bounded, and without t's passwords.
func screen(report check.Report, t database.Target, evidence ...*facts.Evidence) check.Report {
	repeated := repeatsPassword(t, evidence)
	screened := make(check.Report, 0, len(report))
	for _, e := range report {
		switch {
		case e.Message == "":
		case repeated:
			// Text of such a server is left out as a whole: what is cut or quoted in it may
			// hold a part of the password.
			e.Message, e.Fix = "the details are left out, because the server repeats the password in what it sends", ""
			e = e.About(0)
		default:
			e.Message = redact.Line(e.Message, maxMessage)
			e.Fix = redact.Line(e.Fix, maxFix)
		}
		screened = append(screened, e)
	}
	return screened.Bounded()
}

// repeatsPassword reports whether a server sent a password of t, in any text of the
// evidence. The names in the request are no secrets.
func repeatsPassword(t database.Target, evidence []*facts.Evidence) bool {
	secrets := redact.NewSecrets(t.Passwords.Main.Reveal(), t.Passwords.Primary.Reveal())
	sent := []string{t.Slot.SlotName, t.Slot.PublicationName, t.Endpoint.Hostname, t.Endpoint.Database, t.Endpoint.Username}
	if t.Primary != nil {
		sent = append(sent, t.Primary.Hostname, t.Primary.Database, t.Primary.Username)
	}
	for _, e := range evidence {
		if e == nil {
			continue
		}
		for _, text := range e.Texts() {
			if secrets.In(text) && !slices.Contains(sent, text) {
				return true
			}
		}
	}
	return false
}
