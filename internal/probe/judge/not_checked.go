package judge

import (
	"github.com/jackc/pgerrcode"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/probe/facts"
)

// missing returns those of parts that the session did not answer.
func (s *server) missing(parts []facts.Part) []facts.Part {
	var missing []facts.Part
	for _, p := range parts {
		if !s.Facts.Answered(p) {
			missing = append(missing, p)
		}
	}
	return missing
}

// notChecked returns a finding of the check called name for each of parts that could
// not be asked. A part that was not asked for has none. What the request would make if it
// is missing has to be looked at: without that it is neither made nor known to exist.
func notChecked(s subject, name string, parts []facts.Part) []check.Entry {
	var findings []check.Entry
	for _, p := range parts {
		if f, asked := s.Unanswered[p]; asked {
			e := check.Warn(name, check.NotChecked, unchecked(p, f), "")
			if p == facts.PartPublication && name == check.Publication && s.creation.Publication != nil || p == facts.PartSlot && name == check.ReplicationSlot && s.creation.Slot {
				e = check.Fail(name, check.NotChecked, unchecked(p, f)+". Whether it has to be made is not known", "")
			}
			findings = append(findings, e)
		}
	}
	return findings
}

// unchecked says that p could not be looked at, and why.
func unchecked(p facts.Part, f facts.Failure) string {
	return "the " + string(p) + " could not be looked at: " + unansweredBecause(f)
}

// unansweredBecause says why a part was not answered.
func unansweredBecause(f facts.Failure) string {
	switch f.Kind {
	case facts.NotAnswered:
		return rejection(*f.Server)
	case facts.NotAnsweredInTime:
		return "the server did not answer in time"
	case facts.OutOfTime:
		return "this service was too busy to read the server's answer in time"
	case facts.SessionEnded:
		return "the server ended the session meanwhile"
	}
	return "the server's answer could not be read"
}

// rejection says what the server's rejection of a statement means.
func rejection(m facts.ServerMessage) string {
	detail := " (SQLSTATE " + m.SQLSTATE + ": " + m.Message + ")"
	switch m.SQLSTATE {
	case pgerrcode.QueryCanceled:
		return "the server did not finish in time" + detail
	case pgerrcode.LockNotAvailable:
		return "another session holds a lock" + detail
	case pgerrcode.InsufficientPrivilege:
		return "the role lacks a privilege" + detail
	case pgerrcode.CharacterNotInRepertoire, pgerrcode.UntranslatableCharacter:
		return "the database has text that is not in its encoding" + detail
	}
	return "the server rejected the question" + detail
}
