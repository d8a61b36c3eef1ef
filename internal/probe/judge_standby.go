package probe

import (
	"strconv"

	"github.com/headgate/headgate/internal/check"
)

// minStandby is the first major version that decodes on a standby.
const minStandby = 16

func judgeStandby(e evidence, primary *evidence) verdict {
	s := e.facts.Server
	switch {
	case s == nil:
		return skipped()
	case !s.InRecovery && primary == nil:
		return skipped()
	case !s.InRecovery:
		return found(warned(check.Standby, check.PrimaryNotNeeded,
			"the database is itself a primary, so that the primary given is not needed", "leave primary out"))
	}
	var findings []*check.Entry
	if s.major() < minStandby {
		findings = append(findings, failed(check.Standby, check.StandbyUnsupported,
			"the server is a standby of PostgreSQL "+strconv.Itoa(s.major())+"; logical decoding on a standby came with "+strconv.Itoa(minStandby),
			"register the primary instead, or upgrade"))
	}
	if primary == nil {
		findings = append(findings, failed(check.Standby, check.PrimaryRequired,
			"the server is a standby, and no primary is given", "send the primary's connection as primary"))
	} else {
		findings = append(findings, judgePrimary(e, *primary))
	}
	if s.Settings["hot_standby_feedback"] != "on" {
		findings = append(findings, warned(check.Standby, check.HotStandbyFeedbackOff,
			"hot_standby_feedback is off on the standby: the primary may remove rows that the slot still needs, which invalidates the slot",
			e.change("hot_standby_feedback", "on", "on the standby, "+thenReload)))
	}
	return found(findings...)
}

// judgePrimary tells whether p is the primary that the standby e follows: they
// share the system's identifier, and the database its OID.
func judgePrimary(e, p evidence) *check.Entry {
	fail := func(code check.Code, message, fix string) *check.Entry {
		return failed(check.Standby, code, message, fix)
	}
	standby, primary := e.facts.Server, p.facts.Server
	switch {
	case primary == nil && len(p.met) > 0:
		return fail(check.PrimaryUnreachable, "the primary can't be asked: "+p.met[0].Message, p.met[0].Fix)
	case primary == nil:
		return fail(check.PrimaryUnreachable, "the primary can't be asked", "")
	case primary.InRecovery:
		return fail(check.PrimaryIsStandby, "the server given as primary is a standby itself", "send the primary that it follows")
	case e.facts.Identity != nil && p.facts.Identity != nil && *e.facts.Identity != *p.facts.Identity:
		return fail(check.PrimaryMismatch, "the server given as primary belongs to another cluster: the standby does not follow it",
			"send the primary that the standby follows")
	case primary.DatabaseOID != standby.DatabaseOID:
		return fail(check.PrimaryMismatch, "database "+quoteIdentifier(primary.Database)+" of the primary is not database "+
			quoteIdentifier(standby.Database)+" of the standby", "send the same database in primary")
	}
	return nil
}
