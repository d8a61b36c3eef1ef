package judge

import (
	"strconv"
	"strings"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

const plugin = "pgoutput"

func judgeSlot(s subject) []check.Entry {
	if s.Facts.FoundSlot() == nil && s.creation.Slot {
		return newSlot(s)
	}
	if s.Facts.FoundSlot() == nil {
		return append(noSlotAvailable(s), slotMissing(s))
	}
	if failures := slotFailures(s); len(failures) > 0 {
		return failures
	}
	return slotWarnings(s)
}

func slotMissing(s subject) check.Entry {
	message := slotName(s.slot) + " does not exist on " + s.noun()
	if s.Facts.Slots != nil && len(s.Facts.Slots.Similar) > 0 {
		var names []string
		for _, name := range s.Facts.Slots.Similar {
			names = append(names, quote.Name(quote.Printable(name)))
		}
		message += ", where this database has " + strings.Join(names, ", ")
	}
	if s.slotsDenied() && s.Facts.Server != nil {
		message += ". Role " + quote.Identifier(s.Facts.Server.SessionRole) + " may not execute the function that creates it, and a superuser may"
	}
	fix := s.createSlot(s.slot.SlotName)
	if !s.canCreateSlots() {
		message, fix = message+", and can't be created before the failure above is mended", ""
	}
	return check.Fail(check.ReplicationSlot, check.SlotNotFound, message, fix)
}

// noSlotAvailable reports that a slot that is yet to be made finds no place.
func noSlotAvailable(s subject) []check.Entry {
	if s.Facts.Server == nil || s.Facts.Slots == nil {
		return nil
	}
	limit, err := strconv.Atoi(s.Facts.Settings.Value("max_replication_slots"))
	if err != nil || s.Facts.Slots.InUse < limit {
		return nil
	}
	const defaultLimit = 10
	return []check.Entry{check.Fail(check.ReplicationSlot, check.NoSlotAvailable, slotsTaken(s, limit),
		s.setting("max_replication_slots", strconv.Itoa(max(defaultLimit, 2*limit))))}
}

// slotsTaken says that no slot is left of limit.
func slotsTaken(s subject, limit int) string {
	switch limit {
	case 0:
		return s.noun() + " has no replication slots: max_replication_slots is 0"
	case 1:
		return "the only replication slot that " + s.noun() + " may have (max_replication_slots is 1) is taken: another one can't be made before it is dropped, if nobody needs it, or the limit is raised"
	}
	return "all " + strconv.Itoa(limit) + " replication slots of " + s.noun() + " (max_replication_slots) are taken: another one can't be made before one that nobody needs is dropped or the limit is raised"
}

// slotFailures returns why the slot, which exists, can't be used. One fix mends all of
// them, a new slot, and the first finding has it. It replaces the slot that is there
// only if that can't belong to somebody else.
func slotFailures(s subject) []check.Entry {
	slot := s.Facts.FoundSlot()
	var findings []check.Entry
	fix := s.otherSlot()
	fail := func(code check.Code, message string) {
		if len(findings) > 0 || strings.HasPrefix(fix, "SELECT") && !s.canCreateSlots() {
			fix = ""
		}
		findings = append(findings, check.Fail(check.ReplicationSlot, code, slotName(s.slot)+message, fix))
	}
	if s.wrongDatabase() {
		if s.Facts.FoundPublication() == nil && !slot.Active && slot.Plugin == plugin {
			fix = `send "database": ` + quote.JSON(slot.Database)
		}
		fail(check.SlotWrongDatabase, " belongs to database "+quote.Identifier(slot.Database)+", not to the one that was sent")
	}
	if !slot.Logical() {
		fail(check.SlotNotLogical, " is a physical slot, which serves a standby; change data capture needs a logical one")
	}
	if slot.Logical() && slot.Plugin != plugin {
		fail(check.SlotWrongPlugin, " uses the output plugin "+quote.Name(quote.Printable(slot.Plugin))+", not "+plugin)
	}
	if slot.Temporary && !s.syncedCopy() { // a copy is temporary until it has caught up
		fail(check.SlotTemporary, " is temporary: it ends with the session that made it"+reader(slot)+", and no other session can read it")
	}
	if s.syncedCopy() {
		fail(check.SlotSynced, " is a copy that the standby keeps of a slot on the primary; it can't be read before a failover")
	}
	if slot.Invalidated() {
		if len(findings) == 0 && !slot.Active && s.Facts.Server != nil { // known to be of this database
			fix = s.recreateSlot()
		}
		fail(check.SlotInvalidated, " is invalidated"+reason(slot)+": it can't be read any more, and the changes that it had not sent are lost to its consumer")
	}
	switch {
	case len(findings) == 0 && slot.BeingCreated():
		return []check.Entry{slotBeingCreated(s)}
	case len(findings) > 0 && strings.HasPrefix(findings[0].Fix, "SELECT pg_create"):
		return append(noSlotAvailable(s), findings...)
	}
	return findings
}

// wrongDatabase reports whether the slot is one of another database.
func (s *subject) wrongDatabase() bool {
	slot, server := s.Facts.FoundSlot(), s.Facts.Server
	return slot.Logical() && server != nil && slot.Database != server.Database
}

// syncedCopy reports whether the slot is a copy of the primary's. After a promotion
// the mark stays, and the slot is like any other.
func (s *subject) syncedCopy() bool { return s.Facts.FoundSlot().Synced && s.inRecovery() }

// slotBeingCreated reports a slot whose creation waits for transactions. On a standby
// it waits for the primary to log which transactions run.
func slotBeingCreated(s subject) check.Entry {
	slot := s.Facts.FoundSlot()
	message := slotName(s.slot) + " is still being created, and can't be read before that is done"
	if s.inRecovery() {
		return check.Fail(check.ReplicationSlot, check.SlotBeingCreated, message+": it waits for the primary to log its running transactions",
			"SELECT pg_log_standby_snapshot() -- on the primary, as a superuser")
	}
	var pids []string
	prepared := false
	for _, pid := range slot.WaitsFor {
		if pid > 0 {
			pids = append(pids, "PID "+strconv.FormatInt(pid, 10))
		}
		prepared = prepared || pid == 0
	}
	switch {
	case len(pids) > 0:
		fix := "end the transaction of " + pids[0] + ", or wait until it ends"
		if len(pids) > 1 {
			fix = "end the transactions of " + strings.Join(pids, ", ") + ", or wait until they end"
		}
		return check.Fail(check.ReplicationSlot, check.SlotBeingCreated, message+": it waits for open transactions that have written", fix)
	case prepared:
		return check.Fail(check.ReplicationSlot, check.SlotBeingCreated, message+": it waits for a prepared transaction",
			"commit or roll back the transactions in pg_prepared_xacts")
	}
	return check.Fail(check.ReplicationSlot, check.SlotBeingCreated, message, "try again once it exists")
}

func slotName(s database.Slot) string { return "replication slot " + quote.Name(s.SlotName) }

// reader returns the PID of the process that uses the slot, in parentheses.
func reader(s *facts.Slot) string {
	if s.ActivePID == nil {
		return ""
	}
	return " (PID " + strconv.Itoa(*s.ActivePID) + ")"
}

func reason(s *facts.Slot) string {
	if s.InvalidationReason == nil {
		return ""
	}
	return " (" + quote.Printable(*s.InvalidationReason) + ")"
}
