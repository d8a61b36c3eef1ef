package judge

import (
	"strconv"

	"github.com/headgate/headgate/internal/probe/quote"
)

// canCreateSlots reports whether a logical slot can be created on the server as it is
// set up now.
func (s *subject) canCreateSlots() bool {
	if s.Facts.Server == nil {
		return true
	}
	return len(judgeWALLevel(*s)) == 0 && (!s.inRecovery() || s.Facts.Server.Major() >= minStandbyMajor)
}

// slotsDenied reports whether the role is known to lack the privilege to create slots.
func (s *subject) slotsDenied() bool { return s.Facts.NewSlot != nil && !s.Facts.NewSlot.May }

// createSlot returns how to create a slot that can be used here.
func (s *subject) createSlot(name string, notes ...string) string {
	return annotate("SELECT "+createSlotCall(name, false), append(notes, s.slotNotes()...)...)
}

// recreateSlot returns one statement that drops the slot and creates it again. It is
// for a slot of pgoutput in this database that nothing reads.
func (s *subject) recreateSlot() string {
	name, failover := s.slot.SlotName, s.Facts.FoundSlot().Failover && !s.inRecovery()
	return annotate("SELECT pg_drop_replication_slot("+quote.Literal(name)+"), "+createSlotCall(name, failover),
		append([]string{"changes that the slot has not sent are lost, and a backfill restores them"}, s.slotNotes()...)...)
}

// otherSlot returns how to create a slot of another name, which leaves the one that
// exists to whoever it belongs to.
func (s *subject) otherSlot() string {
	const maxBase = 60 // of a name of 63 bytes
	suffix := 2
	if s.Facts.Slots != nil && s.Facts.Slots.FreeSuffix > 0 {
		suffix = s.Facts.Slots.FreeSuffix
	}
	base := s.slot.SlotName
	name := base[:min(len(base), maxBase)] + "_" + strconv.Itoa(suffix)
	return s.createSlot(name, `then send "slot_name": `+quote.JSON(name))
}

// createSlotCall returns the call that creates a logical slot. failover needs 17.
func createSlotCall(name string, failover bool) string {
	options := ""
	if failover {
		options = ", failover => true"
	}
	return "pg_create_logical_replication_slot(" + quote.Literal(name) + ", '" + plugin + "'" + options + ")"
}

// slotNotes returns where the functions for slots are run, and by whom.
func (s *subject) slotNotes() []string {
	var notes []string
	server := s.Facts.Server
	switch {
	case s.slotsDenied():
		notes = append(notes, "as a superuser")
	case server != nil && server.Role != server.SessionRole && !server.MayUseSlots:
		notes = append(notes, "after SET ROLE NONE")
	}
	if s.inRecovery() {
		notes = append(notes, "on the standby; SELECT pg_log_standby_snapshot() on the primary makes it quick")
	}
	return notes
}
