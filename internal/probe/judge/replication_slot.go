package judge

import (
	"strconv"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

const (
	plugin = "pgoutput"
	// maxRetained is how much WAL a slot may retain, in bytes, before that is worth
	// a warning: a slot that was made for a new source retains next to none.
	maxRetained = 256 << 20
)

func judgeSlot(s subject) []check.Entry {
	if s.Facts.FoundSlot() == nil {
		return []check.Entry{slotMissing(s)}
	}
	if failures := slotFailures(s); len(failures) > 0 {
		return failures
	}
	return slotWarnings(s)
}

func slotMissing(s subject) check.Entry {
	fix := createSlot(quote.Literal(s.slot.SlotName))
	if s.inRecovery() {
		fix += " -- on the standby; SELECT pg_log_standby_snapshot() on the primary makes it quick"
	}
	return check.Fail(check.ReplicationSlot, check.SlotNotFound, slotName(s.slot)+" does not exist on this server", fix)
}

// slotFailures returns why the slot, which exists, can't be used.
func slotFailures(s subject) []check.Entry {
	slot := s.Facts.FoundSlot()
	var findings []check.Entry
	fail := func(code check.Code, message, fix string) {
		findings = append(findings, check.Fail(check.ReplicationSlot, code, slotName(s.slot)+message, fix))
	}
	logical := slot.SlotType == "logical"
	recreate := recreateSlot(s.slot)
	if slot.Active {
		recreate = "stop what reads the slot" + reader(slot) + ", then run " + recreate
	}
	if server := s.Facts.Server; logical && server != nil && slot.Database != server.Database {
		fail(check.SlotWrongDatabase, " belongs to database "+quote.Identifier(slot.Database)+", not to the one that was sent",
			`send "database": `+quote.JSON(slot.Database)+", or another slot_name and, in the database that was sent, "+createOtherSlot)
	}
	if !logical {
		fail(check.SlotNotLogical, " is a physical slot; change data capture needs a logical one", recreate)
	}
	if logical && slot.Plugin != plugin {
		fail(check.SlotWrongPlugin, " uses the output plugin "+quote.Name(quote.Printable(slot.Plugin))+", not "+plugin, recreate)
	}
	if logical && slot.Invalidated() {
		fail(check.SlotInvalidated, " is invalidated"+reason(slot)+": it can't be read any more, and the changes that it had not sent are lost", recreate)
	}
	if slot.Temporary && !slot.Synced { // a synced slot is temporary until it has caught up
		fail(check.SlotTemporary, " is temporary and ends with the session that made it"+reader(slot),
			"end that session, then run "+createSlot(quote.Literal(s.slot.SlotName)))
	}
	if slot.Synced {
		fail(check.SlotSynced, " is a copy that the standby keeps of a slot on the primary; it can't be read before a failover",
			"choose another slot_name and, on the standby, run "+createOtherSlot)
	}
	return findings
}

func slotWarnings(s subject) []check.Entry {
	slot := s.Facts.FoundSlot()
	var findings []check.Entry
	warn := func(code check.Code, message, fix string) {
		findings = append(findings, check.Warn(check.ReplicationSlot, code, message, fix))
	}
	name := slotName(s.slot)
	if slot.Active {
		warn(check.SlotActive, name+" is being read by another process"+reader(slot)+"; only one can read it at a time",
			"stop the other reader before this one starts")
	}
	if slot.Retained != nil && *slot.Retained > maxRetained {
		warn(check.SlotLagging, name+" retains "+megabytes(*slot.Retained)+" of WAL that was not confirmed: the changes in it are sent first", "")
	}
	if slot.WALStatus == "unreserved" {
		warn(check.SlotAtRisk, "the WAL that "+name+" needs may be removed at the next checkpoint",
			"read from the slot now, or make it anew: "+recreateSlot(s.slot))
	}
	return append(findings, slotLimits(s)...)
}

// slotLimits reports the settings that can invalidate the slot.
func slotLimits(s subject) []check.Entry {
	if s.Facts.Server == nil {
		return nil
	}
	var findings []check.Entry
	warn := func(message, fix string) {
		findings = append(findings, check.Warn(check.ReplicationSlot, check.SlotAtRisk, message, fix))
	}
	settings, name := s.Facts.Server.Settings, slotName(s.slot)
	if v := settings["max_slot_wal_keep_size"]; v != "" && v != "-1" {
		left := ""
		if size := s.Facts.FoundSlot().SafeWALSize; size != nil {
			left = ", " + megabytes(*size) + " from now"
		}
		warn(name+" is lost once it retains more than max_slot_wal_keep_size ("+quote.Printable(v)+" MB"+left+")",
			s.setting("max_slot_wal_keep_size", "-1", thenReload))
	}
	if v := settings["idle_replication_slot_timeout"]; v != "" && v != "0" {
		warn(name+" is lost if nothing reads it for idle_replication_slot_timeout ("+quote.Printable(v)+")",
			s.setting("idle_replication_slot_timeout", "0", thenReload))
	}
	if s.provider() == neon {
		warn("Neon drops slots that nothing reads for some 40 hours", "start reading soon")
	}
	return findings
}

func slotName(s database.Slot) string { return "replication slot " + quote.Name(s.SlotName) }

// createOtherSlot is for a name that the caller has yet to choose.
const createOtherSlot = "SELECT pg_create_logical_replication_slot('<slot_name>', '" + plugin + "')"

func createSlot(literal string) string {
	return "SELECT pg_create_logical_replication_slot(" + literal + ", '" + plugin + "')"
}

// recreateSlot returns one statement that can be pasted anywhere. The drop comes
// first.
func recreateSlot(s database.Slot) string {
	name := quote.Literal(s.SlotName)
	return "SELECT pg_drop_replication_slot(" + name + "), pg_create_logical_replication_slot(" + name + ", '" + plugin + "')"
}

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

func megabytes(n int64) string { return strconv.FormatInt(n>>20, 10) + " MB" }
