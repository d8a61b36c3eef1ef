package probe

import (
	"strconv"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

const (
	plugin = "pgoutput"
	// lagging is how much WAL a slot keeps, in bytes, before that is worth a
	// warning: a slot that was made for a new source has next to none.
	lagging = 256 << 20
)

func judgeSlot(t database.Target, e evidence) verdict {
	if e.facts.Slot == nil {
		return skipped()
	}
	s := e.facts.Slot.Found
	if s == nil {
		return found(slotMissing(t.Slot, e))
	}
	findings := slotFailures(s, e.facts.Server)
	for i := range findings {
		describeSlot(findings[i], t.Slot, s)
	}
	if len(findings) == 0 {
		findings = slotWarnings(t.Slot, s, e)
	}
	return found(findings...)
}

func createSlot(s database.Slot) string {
	return "SELECT pg_create_logical_replication_slot(" + quoteLiteral(s.SlotName) + ", '" + plugin + "')"
}

// recreateSlot is one statement, so that it can be pasted anywhere; the drop
// comes first.
func recreateSlot(s database.Slot) string {
	name := quoteLiteral(s.SlotName)
	return "SELECT pg_drop_replication_slot(" + name + "), pg_create_logical_replication_slot(" + name + ", '" + plugin + "')"
}

func slotMissing(s database.Slot, e evidence) *check.Entry {
	message := "replication slot " + quoteName(s.SlotName) + " does not exist on this server"
	fix := createSlot(s)
	if e.facts.Server != nil && e.facts.Server.InRecovery {
		fix += " -- on the standby; SELECT pg_log_standby_snapshot() on the primary makes it quick"
	}
	return failed(check.ReplicationSlot, check.SlotNotFound, message, fix)
}

// slotFailures are the reasons for which a slot can't be used, by code.
func slotFailures(s *slot, server *serverFacts) []*check.Entry {
	var findings []*check.Entry
	add := func(code check.Code, is bool) {
		if is {
			findings = append(findings, failed(check.ReplicationSlot, code, "", ""))
		}
	}
	logical := s.SlotType == "logical"
	add(check.SlotWrongDatabase, logical && server != nil && s.Database != server.Database)
	add(check.SlotNotLogical, !logical)
	add(check.SlotWrongPlugin, logical && s.Plugin != plugin)
	add(check.SlotInvalidated, logical && s.invalid())
	add(check.SlotTemporary, s.Temporary && !s.Synced) // a copy is temporary until it has caught up
	add(check.SlotSynced, s.Synced)
	return findings
}

// invalid tells whether a logical slot is dead. Its WAL being gone shows
// differently: up to 15 wal_status is lost and restart_lsn null, 16 calls it
// conflicting, and from 17 there is a reason.
func (s *slot) invalid() bool {
	return s.WALStatus == "lost" || s.RestartLSN == nil || s.Conflicting || s.InvalidationReason != nil
}

// describeSlot says what a failure means and how to mend it. A slot that
// somebody uses, or another database's, is nobody's to drop on our word.
func describeSlot(c *check.Entry, want database.Slot, s *slot) {
	name := "replication slot " + quoteName(want.SlotName)
	recreate := recreateSlot(want)
	if s.Active {
		recreate = "stop what reads the slot" + by(s) + ", then run " + recreate
	}
	switch c.Code {
	case check.SlotWrongDatabase:
		c.Message = name + " belongs to database " + quoteIdentifier(s.Database) + ", not to the one given"
		c.Fix = `send "database": ` + jsonString(s.Database) + ", or another slot_name and, in the database given, " +
			"SELECT pg_create_logical_replication_slot('<slot_name>', '" + plugin + "')"
	case check.SlotNotLogical:
		c.Message, c.Fix = name+" is a physical slot; change data capture needs a logical one", recreate
	case check.SlotWrongPlugin:
		c.Message, c.Fix = name+" uses the output plugin "+quoteName(printable(s.Plugin))+", not "+plugin, recreate
	case check.SlotInvalidated:
		c.Message, c.Fix = name+" is invalidated"+reason(s)+": it can't be read any more, and what it had not sent is lost", recreate
	case check.SlotTemporary:
		c.Message = name + " is temporary and ends with the session that made it" + by(s)
		c.Fix = "end that session, then run " + createSlot(want)
	case check.SlotSynced:
		c.Message = name + " is a copy that the standby keeps of a slot on the primary; it can't be read before a failover"
		c.Fix = "choose another slot_name and, on the standby, run SELECT pg_create_logical_replication_slot('<slot_name>', '" + plugin + "')"
	}
}

func by(s *slot) string {
	if s.ActivePID == nil {
		return ""
	}
	return " (PID " + strconv.Itoa(*s.ActivePID) + ")"
}

func reason(s *slot) string {
	if s.InvalidationReason == nil {
		return ""
	}
	return " (" + printable(*s.InvalidationReason) + ")"
}

func slotWarnings(want database.Slot, s *slot, e evidence) []*check.Entry {
	var findings []*check.Entry
	add := func(code check.Code, message, fix string) {
		findings = append(findings, warned(check.ReplicationSlot, code, message, fix))
	}
	name := "replication slot " + quoteName(want.SlotName)
	if s.Active {
		add(check.SlotActive, name+" is being read by another process"+by(s)+"; only one can at a time", "stop the other reader before this one starts")
	}
	if s.Retained != nil && *s.Retained > lagging {
		add(check.SlotLagging, name+" keeps "+megabytes(*s.Retained)+" of WAL that was not confirmed: what was changed since then is sent first", "")
	}
	if s.WALStatus == "unreserved" {
		add(check.SlotAtRisk, "the WAL that "+name+" needs may be removed at the next checkpoint", "read from the slot now, or make it anew: "+recreateSlot(want))
	}
	return append(findings, slotLimits(name, s, e)...)
}

// slotLimits are the settings that end a slot's life by themselves.
func slotLimits(name string, s *slot, e evidence) []*check.Entry {
	if e.facts.Server == nil {
		return nil
	}
	var findings []*check.Entry
	add := func(message, fix string) {
		findings = append(findings, warned(check.ReplicationSlot, check.SlotAtRisk, message, fix))
	}
	settings := e.facts.Server.Settings
	if v := settings["max_slot_wal_keep_size"]; v != "" && v != "-1" {
		left := ""
		if s.SafeWALSize != nil {
			left = ", " + megabytes(*s.SafeWALSize) + " from now"
		}
		add(name+" is lost once it holds back more than max_slot_wal_keep_size ("+printable(v)+" MB"+left+")",
			e.change("max_slot_wal_keep_size", "-1", thenReload))
	}
	if v := settings["idle_replication_slot_timeout"]; v != "" && v != "0" {
		add(name+" is lost when nothing reads it for idle_replication_slot_timeout ("+printable(v)+")",
			e.change("idle_replication_slot_timeout", "0", thenReload))
	}
	if e.provider() == neon {
		add("Neon drops slots that nothing reads for some 40 hours", "start reading soon")
	}
	return findings
}

func megabytes(n int64) string { return strconv.FormatInt(n>>20, 10) + " MB" }
