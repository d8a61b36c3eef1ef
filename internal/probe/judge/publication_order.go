package judge

import (
	"github.com/jackc/pgerrcode"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

// maxPeeked is how much WAL a slot may retain to be read on trial, in bytes. A
// server decodes this much of single-row changes in about a second; rows that were
// copied in bulk take up to ten times as long, and the time limit ends that.
const maxPeeked = 32 << 20

// NeedsPeek reports whether reading the slot's pending changes can settle what the
// facts leave open: whether the publication was made after the slot, and whether a
// row filter raises an error.
func NeedsPeek(t database.Target, e facts.Evidence) bool {
	s := newSubject(t, e, nil)
	return orderKnown(s) && (late(s) || orderSuspected(s.Facts) || filtered(s.Facts)) && unread(s) == ""
}

// filtered reports whether the publication is known to have row filters.
func filtered(f facts.Facts) bool { return f.RowFilters != nil && *f.RowFilters }

// orderMatters reports whether publication and slot exist, or may exist, and the slot
// can be used.
func orderMatters(s subject) bool {
	publication, slot := s.Facts.Publication == nil || s.Facts.FoundPublication() != nil || late(s), s.Facts.Slot == nil || s.Facts.FoundSlot() != nil
	if !session(s) || !publication || !slot {
		return false
	}
	return s.Facts.Slot == nil || s.Facts.Server == nil || len(slotFailures(s)) == 0
}

// late reports whether the publication would be made after the slot.
func late(s subject) bool {
	return Missing(database.Target{Creation: s.creation}, s.Evidence).Publication && s.Facts.FoundSlot() != nil
}

// orderKnown reports whether the session answered what the order depends on.
func orderKnown(s subject) bool {
	return orderMatters(s) && len(s.missing([]facts.Part{facts.PartServer, facts.PartPublication, facts.PartSlot})) == 0
}

// orderSuspected reports whether the publication may have been made after the slot.
// No time of creation is stored, but a publication whose row is older than the
// oldest transaction that the slot keeps catalog rows for existed before the slot.
// A new slot takes that transaction over from the other slots. So did one whose
// creation does not fit into the WAL that the slot has yet to send. Otherwise the order
// is open: a publication that was altered, or a slot that lags, looks the same as one
// made too late.
func orderSuspected(f facts.Facts) bool {
	// minCreation is less WAL than the creation of a publication takes, and
	// minTransaction than any transaction with an ID, in bytes.
	const minCreation, minTransaction = 256, 24
	slot, age := f.FoundSlot(), f.FoundPublication().Age
	if slot.Pending != nil && *slot.Pending < max(minCreation, age*minTransaction) {
		return false
	}
	return slot.Age != nil && age <= *slot.Age
}

// unread returns why the session can't read the slot on trial, empty if it can: the
// slot is free, the role may, and there is no pooler, which would pass the session's
// settings on to others.
func unread(s subject) string {
	slot := s.Facts.FoundSlot()
	switch {
	case slot.Active:
		return "the slot is being read"
	case s.rejectedWith(pgerrcode.InsufficientPrivilege) || !direct(s.server):
		return "the session may not read it"
	case s.Unanswered[facts.PartTables].Kind == facts.NotAnsweredInTime:
		return "the server was busy with the tables of the publication"
	case s.Unanswered[facts.PartTables].Kind == facts.OutOfTime:
		return "this service was too busy"
	case len(heldBackBy(s.server)) > 0:
		return "synchronized_standby_slots holds the slot back"
	case slot.Retained == nil || *slot.Retained > maxPeeked:
		return "the slot retains more than " + megabytes(maxPeeked) + " of WAL, which takes too long to read here"
	}
	return ""
}

func judgeOrder(s subject) []check.Entry {
	slot, publication := quote.Name(s.slot.SlotName), quote.Identifier(s.slot.PublicationName)
	if late(s) {
		return judgeLatePublication(s, slot, publication)
	}
	switch {
	case publicationMissing(s.Peek):
		return []check.Entry{check.Fail(check.PublicationOrder, check.PublicationAfterSlot,
			"publication "+publication+" was made after replication slot "+slot+
				": the slot starts before the publication exists, and reading it fails or drops those changes", s.recreateSlot())}
	case decodingFailed(s.Peek):
		message := "decoding the pending changes of replication slot " + slot + " fails with SQLSTATE " + s.Peek.Error.SQLSTATE + ": " + s.Peek.Error.Message +
			". A consumer meets the same error and receives nothing"
		if filtered(s.Facts) {
			message += ". If a row filter of the publication raises it, correct the filter first, because the next such row raises it again"
		}
		return []check.Entry{check.Fail(check.PublicationOrder, check.DecodingFailed, message, s.recreateSlot())}
	case s.Peek.Outcome == facts.PeekCompleted || !orderSuspected(s.Facts):
		return nil
	}
	return []check.Entry{check.Warn(check.PublicationOrder, check.PublicationAfterSlotSuspected,
		"publication "+publication+" may have been made or changed after replication slot "+slot+
			", and whether that matters could not be tried, because "+untried(s)+
			". If reading the slot fails because the publication does not exist, make the slot anew", "")}
}

// judgeLatePublication says whether the slot has changes to read from before the
// publication, which would be made after it.
func judgeLatePublication(s subject, slot, publication string) []check.Entry {
	if s.Peek.Outcome == facts.PeekCompleted && !publicationMissing(s.Peek) {
		return nil
	}
	message := "publication " + publication + " would be made after replication slot " + slot
	if publicationMissing(s.Peek) {
		message += ", which has changes to read from before: reading the slot would fail, or drop those changes"
	} else {
		message += ", and whether the slot has changes to read from before could not be tried, because " + untried(s)
	}
	fix := ""
	if !s.Facts.FoundSlot().Active {
		fix = s.recreateSlot()
	}
	return []check.Entry{check.Fail(check.PublicationOrder, check.PublicationAfterSlot, message, fix)}
}

// publicationMissing reports whether a peek found changes from before the
// publication existed: up to 17 that is an error, from 18 on a warning. The warnings
// of a slot that is held back have the same SQLSTATE, so the routine decides.
func publicationMissing(p facts.Peek) bool {
	if p.Outcome == facts.PeekFailed {
		return p.Error != nil && p.Error.SQLSTATE == pgerrcode.UndefinedObject &&
			(p.Error.Routine == "get_publication_oid" || p.Error.Routine == "GetPublicationByName")
	}
	for _, n := range p.Notices {
		if n.SQLSTATE == pgerrcode.ObjectNotInPrerequisiteState && n.Routine == "LoadPublications" {
			return true
		}
	}
	return false
}

// decodingFailed reports whether a peek failed in a way that a consumer fails too. The
// other errors are of this session, of the moment, or of its encoding, UTF8, which
// not every consumer has.
func decodingFailed(p facts.Peek) bool {
	if p.Outcome != facts.PeekFailed || p.Error == nil {
		return false
	}
	e := p.Error.SQLSTATE
	switch e {
	case pgerrcode.InsufficientPrivilege, pgerrcode.CharacterNotInRepertoire, pgerrcode.UntranslatableCharacter:
		return false
	}
	return !pgerrcode.IsConnectionException(e) && !pgerrcode.IsInvalidTransactionState(e) && !pgerrcode.IsTransactionRollback(e) &&
		!pgerrcode.IsInsufficientResources(e) && !pgerrcode.IsObjectNotInPrerequisiteState(e) && !pgerrcode.IsOperatorIntervention(e)
}

// untried says why no peek settled the order.
func untried(s subject) string {
	if why := unread(s); why != "" {
		return why
	}
	if e := s.Peek.Error; e != nil && e.SQLSTATE != pgerrcode.QueryCanceled {
		return "reading it fails with SQLSTATE " + e.SQLSTATE
	}
	return "reading the slot takes too long here"
}
