package probe

import (
	"strconv"

	"github.com/headgate/headgate/internal/database"
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
		return found(warned(database.CheckStandby, PrimaryNotNeeded,
			"the database is itself a primary, so that the primary given is not needed", "leave primary out"))
	}
	var findings []*database.Check
	if s.major() < minStandby {
		findings = append(findings, failed(database.CheckStandby, StandbyUnsupported,
			"the server is a standby of PostgreSQL "+strconv.Itoa(s.major())+"; logical decoding on a standby came with "+strconv.Itoa(minStandby),
			"register the primary instead, or upgrade"))
	}
	if primary == nil {
		findings = append(findings, failed(database.CheckStandby, PrimaryRequired,
			"the server is a standby, and no primary is given", "send the primary's connection as primary"))
	} else {
		findings = append(findings, judgePrimary(e, *primary))
	}
	if s.Settings["hot_standby_feedback"] != "on" {
		findings = append(findings, warned(database.CheckStandby, HotStandbyFeedbackOff,
			"hot_standby_feedback is off on the standby: the primary may remove rows that the slot still needs, which invalidates the slot",
			e.change("hot_standby_feedback", "on", "on the standby, "+thenReload)))
	}
	return found(findings...)
}

// judgePrimary tells whether p is the primary that the standby e follows: they
// share the system's identifier, and the database its OID.
func judgePrimary(e, p evidence) *database.Check {
	fail := func(code database.Code, message, fix string) *database.Check {
		return failed(database.CheckStandby, code, message, fix)
	}
	standby, primary := e.facts.Server, p.facts.Server
	switch {
	case primary == nil && len(p.met) > 0:
		return fail(PrimaryUnreachable, "the primary can't be asked: "+p.met[0].Message, p.met[0].Fix)
	case primary == nil:
		return fail(PrimaryUnreachable, "the primary can't be asked", "")
	case primary.InRecovery:
		return fail(PrimaryIsStandby, "the server given as primary is a standby itself", "send the primary that it follows")
	case e.facts.Identity != nil && p.facts.Identity != nil && *e.facts.Identity != *p.facts.Identity:
		return fail(PrimaryMismatch, "the server given as primary belongs to another cluster: the standby does not follow it",
			"send the primary that the standby follows")
	case primary.DatabaseOID != standby.DatabaseOID:
		return fail(PrimaryMismatch, "database "+quoteIdentifier(primary.Database)+" of the primary is not database "+
			quoteIdentifier(standby.Database)+" of the standby", "send the same database in primary")
	}
	return nil
}
