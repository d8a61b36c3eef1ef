package judge

import (
	"strconv"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

// minStandbyMajor is the first major version with logical decoding on a standby.
const minStandbyMajor = 16

func standbyMatters(s subject) bool {
	return session(s) && (s.Facts.Server == nil || s.inRecovery() || s.primary != nil)
}

// standbyDetails returns what a part of the findings about a standby needs.
func standbyDetails(s subject) []facts.Part {
	if !s.inRecovery() {
		return nil
	}
	details := []facts.Part{facts.PartSettings}
	if s.primary != nil {
		details = append(details, facts.PartIdentity)
	}
	return details
}

func judgeStandby(s subject) []check.Entry {
	if !s.inRecovery() {
		return []check.Entry{check.Warn(check.Standby, check.PrimaryNotNeeded,
			"the database is itself a primary, so the primary that was sent is not needed", "leave primary out")}
	}
	var findings []check.Entry
	if major := s.Facts.Server.Major(); major < minStandbyMajor {
		findings = append(findings, check.Fail(check.Standby, check.StandbyUnsupported,
			"the server is a standby of PostgreSQL "+strconv.Itoa(major)+"; logical decoding on a standby needs "+strconv.Itoa(minStandbyMajor)+" or later",
			"register the primary instead, or upgrade"))
	}
	if s.primary == nil {
		findings = append(findings, check.Fail(check.Standby, check.PrimaryRequired,
			"the server is a standby, and no primary was sent", "send the primary's connection as primary"))
	} else {
		findings = append(findings, primaryFindings(s)...)
	}
	if s.Facts.Settings != nil && s.Facts.Settings.Value("hot_standby_feedback") != "on" {
		findings = append(findings, check.Warn(check.Standby, check.HotStandbyFeedbackOff,
			"hot_standby_feedback is off on the standby: the primary may remove rows that the slot still needs, which invalidates the slot",
			s.setting("hot_standby_feedback", "on")))
	}
	return findings
}

// primaryFindings reports whether the primary can be asked, and is the one that the
// standby follows.
func primaryFindings(s subject) []check.Entry {
	fail := func(code check.Code, message, fix string) []check.Entry {
		return []check.Entry{check.Fail(check.Standby, code, message, fix)}
	}
	if s.primary.Facts.Server == nil {
		message, fix := "the primary can't be asked", ""
		cause := s.primary.failure()
		f, asked := s.primary.Unanswered[facts.PartServer]
		switch {
		case cause != nil:
			message, fix = message+": "+cause.Message, cause.Fix
		case asked:
			message += ": " + unansweredBecause(f)
		}
		return fail(check.PrimaryUnreachable, message, fix)
	}
	var findings []check.Entry
	if s.primary.TLSOnly { // what was asked was asked over TLS
		findings = fail(check.PrimaryUnreachable, "the primary can't be asked: "+tlsOnly(*s.primary), s.primary.send(`"ssl": true`))
	}
	return append(findings, otherPrimary(s)...)
}

// otherPrimary reports that a server that answered is not the primary that the standby
// follows: both have the same system identifier, and the database has the same OID.
func otherPrimary(s subject) []check.Entry {
	fail := func(code check.Code, message, fix string) []check.Entry {
		return []check.Entry{check.Fail(check.Standby, code, message, fix)}
	}
	standby, primary := s.Facts.Server, s.primary.Facts.Server
	if primary.InRecovery {
		return fail(check.PrimaryIsStandby, "the server sent as primary is itself a standby", "send the primary that it follows")
	}
	if a, b := s.Facts.Identity, s.primary.Facts.Identity; a != nil && b != nil && *a != *b {
		return fail(check.PrimaryMismatch, "the server sent as primary belongs to another cluster: the standby does not follow it",
			"send the primary that the standby follows")
	}
	if primary.DatabaseOID != standby.DatabaseOID {
		return fail(check.PrimaryMismatch, "database "+quote.Identifier(primary.Database)+" of the primary is not database "+
			quote.Identifier(standby.Database)+" of the standby", "send the same database in primary")
	}
	return nil
}
