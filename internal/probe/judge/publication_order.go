package judge

import (
	"github.com/jackc/pgerrcode"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

// NeedsPeek reports whether the order of publication and slot is in doubt, and the
// session may read the slot to settle it.
func NeedsPeek(t database.Target, e facts.Evidence) bool {
	s := subject{server: server{Evidence: e, endpoint: t.Endpoint}, slot: t.Slot}
	return orderMatters(s) && orderSuspected(s.Facts) && canPeek(s)
}

func orderMatters(s subject) bool {
	return answered(facts.PartServer, facts.PartPublication, facts.PartSlot)(s) &&
		s.Facts.FoundPublication() != nil && s.Facts.FoundSlot() != nil && len(slotFailures(s)) == 0
}

// orderSuspected reports whether the publication may have been made after the slot.
// No time of creation is stored, but a publication whose row is older than the
// oldest transaction that the slot keeps catalog rows for existed before the slot.
// Otherwise the order is open: a publication that was altered, or a slot that
// lags, looks the same as one made too late.
func orderSuspected(f facts.Facts) bool {
	slot := f.FoundSlot()
	return slot.Age != nil && f.FoundPublication().Age <= *slot.Age
}

// canPeek reports whether the session may read the slot: the slot is free, the role
// may, and there is no pooler, which would pass the session's settings on to others.
func canPeek(s subject) bool {
	permitted := !s.rejectedWith(pgerrcode.InsufficientPrivilege)
	direct := s.IsWALSender() || s.Session.Kind == facts.Ordinary && s.Session.PID == s.Facts.Server.PID
	return permitted && direct && !s.Facts.FoundSlot().Active
}

func judgeOrder(s subject) []check.Entry {
	if !orderSuspected(s.Facts) {
		return nil
	}
	slot, publication := quote.Name(s.slot.SlotName), quote.Identifier(s.slot.PublicationName)
	switch {
	case publicationMissing(s.Peek):
		return []check.Entry{check.Fail(check.PublicationOrder, check.PublicationAfterSlot,
			"publication "+publication+" was made after replication slot "+slot+
				": the slot starts before the publication exists, and reading it fails or drops those changes", recreateSlot(s.slot))}
	case s.Peek.Outcome == facts.PeekCompleted:
		return nil
	}
	return []check.Entry{check.Warn(check.PublicationOrder, check.PublicationAfterSlotSuspected,
		"publication "+publication+" may have been made or changed after replication slot "+slot+
			", and whether that matters could not be tried, because "+untried(s)+
			". If reading the slot fails because the publication does not exist, make the slot anew", "")}
}

// publicationMissing reports whether a peek found changes from before the
// publication existed: up to 17 that is an error, from 18 on a warning.
func publicationMissing(p facts.Peek) bool {
	if p.Outcome == facts.PeekFailed {
		return p.Error != nil && p.Error.SQLSTATE == pgerrcode.UndefinedObject
	}
	for _, n := range p.Notices {
		if n.SQLSTATE == pgerrcode.ObjectNotInPrerequisiteState || n.SQLSTATE == pgerrcode.UndefinedObject {
			return true
		}
	}
	return false
}

// untried says why there is no outcome of a peek.
func untried(s subject) string {
	switch {
	case s.Facts.FoundSlot().Active:
		return "the slot is being read"
	case !canPeek(s):
		return "the session may not read it"
	}
	return "the slot has much to read"
}
