package judge

import (
	"github.com/jackc/pgerrcode"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

// MayDrop returns the failed checks for which what m selects may not be dropped: the slot
// is in use or may be somebody else's, or the role does not own the publication.
func MayDrop(t database.Target, source database.Source, m database.Making, target facts.Evidence, primary *facts.Evidence) check.Report {
	s := newSubject(t, target, primary)
	var report check.Report
	if m.Slot {
		report = append(report, slotKept(s, source)...)
	}
	if m.Publication {
		report = append(report, publicationKept(s)...)
	}
	return screen(report, t, &target, primary)
}

// slotKept says why the slot is not dropped.
func slotKept(s subject, source database.Source) []check.Entry {
	keep := func(code check.Code, message, fix string) []check.Entry {
		return []check.Entry{check.Fail(check.ReplicationSlot, code, message, fix)}
	}
	slot, identity, name := s.Facts.FoundSlot(), s.Facts.Identity, slotName(s.slot)
	switch {
	case s.Facts.Slot == nil:
		return keep(check.NotChecked, name+" is not dropped, because it could not be looked at", "")
	case slot == nil:
		return nil
	case source.SystemIdentifier != "" && identity == nil:
		return keep(check.NotChecked, name+" is not dropped, because the server does not tell its system identifier: it may be another server than the one that the slot was on", "")
	case source.SystemIdentifier != "" && *identity != source.SystemIdentifier:
		return keep(check.SlotNotFound, name+" is on another server: the host now leads to one with the system identifier "+quote.Printable(*identity)+
			", whose slot of this name is not dropped", "")
	case slot.Active:
		return keep(check.SlotActive, name+" is in use"+reader(slot)+", and is not dropped", "stop its consumer, and repeat the request")
	}
	var findings []check.Entry
	for _, e := range slotFailures(s) {
		if e.Code != check.SlotInvalidated && e.Code != check.NoSlotAvailable {
			e.Message += ". It is not dropped"
			e.Fix = ""
			findings = append(findings, e)
		}
	}
	return findings
}

// publicationKept says why the publication is not dropped.
func publicationKept(s subject) []check.Entry {
	keep := func(code check.Code, message, fix string) []check.Entry {
		return []check.Entry{check.Fail(check.Publication, code, message, fix)}
	}
	name, p := quote.Identifier(s.slot.PublicationName), s.publisher()
	switch {
	case p == nil || p.Facts.Publication == nil:
		return keep(check.NotChecked, "publication "+name+" is not dropped, because it could not be looked at", "")
	case p.Facts.FoundPublication() == nil || p.Facts.FoundPublication().Owned:
		return nil
	}
	var r remedy
	r.add("DROP PUBLICATION "+name, facts.Object{Owner: p.Facts.FoundPublication().Owner})
	fix, who := r.fix(s.onPrimary())
	return keep(check.PublicationCreateDenied, "publication "+name+" is not dropped: role "+quote.Identifier(p.Facts.Server.Role)+" does not own it"+who, fix)
}

// Dropping returns the failed checks about what could not be dropped on t, empty if
// nothing failed.
func Dropping(t database.Target, target facts.Evidence, primary *facts.Evidence) check.Report {
	s := newSubject(t, target, primary)
	var report check.Report
	if failedAttempt(s.Evidence.Making.Slot) {
		report = append(report, slotNotDropped(s, s.Evidence.Making.Slot.Failure))
	}
	if p := s.publisher(); p != nil && failedAttempt(p.Making.Publication) {
		report = append(report, publicationNotDropped(s, p.Making.Publication.Failure))
	}
	return screen(report, t, &target, primary)
}

func slotNotDropped(s subject, f facts.Failure) check.Entry {
	name := slotName(s.slot)
	switch {
	case f.Kind != facts.NotAnswered:
		return check.Fail(check.Connection, check.ConnectionLost, "the connection ended while "+name+" was dropped: "+unansweredBecause(f), "")
	case f.Server.SQLSTATE == pgerrcode.ObjectInUse:
		return check.Fail(check.ReplicationSlot, check.SlotActive, name+" is in use, and is not dropped", "stop its consumer, and repeat the request")
	case f.Server.SQLSTATE == pgerrcode.InsufficientPrivilege:
		return check.Fail(check.ReplicationRole, check.ReplicationNotPermitted, name+" is not dropped: "+refusedBecause(*f.Server),
			"SELECT pg_drop_replication_slot("+quote.Literal(s.slot.SlotName)+") -- as a superuser")
	}
	return check.Fail(check.ReplicationSlot, check.NotChecked, name+" is not dropped: "+refusedBecause(*f.Server), "")
}

func publicationNotDropped(s subject, f facts.Failure) check.Entry {
	name := quote.Identifier(s.slot.PublicationName)
	if f.Kind != facts.NotAnswered {
		return check.Fail(check.Connection, check.ConnectionLost, "the connection ended while publication "+name+" was dropped: "+unansweredBecause(f), "")
	}
	return check.Fail(check.Publication, check.PublicationCreateDenied, "publication "+name+" is not dropped: "+refusedBecause(*f.Server), "")
}

// DropStatements returns the SQL that drops t's slot, and in its comment the statement
// that drops the publication, unless t has none. A slot of that name that is in use or may
// be somebody else's is not dropped by it.
func DropStatements(t database.Target) string {
	slot := "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = " + quote.Literal(t.Slot.SlotName) +
		" AND database = current_database() AND plugin = 'pgoutput' AND NOT active"
	if t.Slot.PublicationName == "" {
		return slot
	}
	// Other slots may be read with the publication, so running the whole drops the slot only.
	publication := "DROP PUBLICATION IF EXISTS " + quote.Identifier(t.Slot.PublicationName)
	if t.Primary != nil {
		return slot + " -- on the standby; then " + publication + " on the primary, unless other slots are read with it"
	}
	return slot + " -- then " + publication + ", unless other slots are read with it"
}
