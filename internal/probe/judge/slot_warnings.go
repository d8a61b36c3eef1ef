package judge

import (
	"strconv"
	"strings"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

// maxStandbyLag is how far a connected standby may be behind, in bytes.
const maxStandbyLag = 16 << 20

// limits are the sizes of WAL at which a slot has a warning.
type limits struct {
	// maxRetained is how much WAL a slot may retain, in bytes.
	maxRetained int64
	// How much WAL has to be left before the slot is lost, in bytes and in percent of
	// max_slot_wal_keep_size.
	minSafeBytes   int64
	minSafePercent int
}

// registrationLimits returns the limits for a slot that is about to be registered: one
// that was made for a new source retains next to nothing.
func registrationLimits() limits {
	return limits{maxRetained: 256 << 20, minSafeBytes: 256 << 20, minSafePercent: 25}
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
	if slot.Retained != nil && *slot.Retained > s.limits.maxRetained {
		warn(check.SlotLagging, name+" retains "+megabytes(*slot.Retained)+" of WAL that was not confirmed: the changes in it are sent first", "")
	}
	if by := heldBackBy(s.server); len(by) > 0 {
		findings = append(findings, heldBack(name, by))
	}
	if slot.TwoPhase {
		warn(check.SlotTwoPhase, name+" sends a transaction when it is prepared, before it is known whether it commits, in messages that consumers up to protocol version 2 do not understand"+whenPrepared(s),
			s.otherSlot())
	}
	return append(append(findings, walLimit(s)...), idleLimit(s)...)
}

// whenPrepared says if no transaction can be prepared on the server for now.
func whenPrepared(s subject) string {
	if s.Facts.Settings == nil || s.Facts.Settings.Value("max_prepared_transactions") != "0" {
		return ""
	}
	return "; no transaction can be prepared as long as max_prepared_transactions is 0"
}

// heldBackBy returns the slots of standbys that the slot waits for. Slots on a standby
// wait for none, and neither do slots without failover.
func heldBackBy(s server) []facts.StandbySlot {
	slot := s.Facts.FoundSlot()
	if !slot.Failover || s.inRecovery() || s.Facts.Slots == nil {
		return nil
	}
	var held []facts.StandbySlot
	for _, standby := range s.Facts.Slots.Standbys {
		if holdsBack(standby) != "" {
			held = append(held, standby)
		}
	}
	return held
}

// heldBack returns the finding that name is held back by these slots.
func heldBack(name string, by []facts.StandbySlot) check.Entry {
	var names, reasons []string
	for _, standby := range by {
		n := quote.Name(quote.Printable(standby.Name))
		names, reasons = append(names, n), append(reasons, n+" ("+holdsBack(standby)+")")
	}
	return check.Warn(check.ReplicationSlot, check.SlotHeldBack,
		name+" is held back by synchronized_standby_slots: it sends no change that these slots have not confirmed: "+strings.Join(reasons, ", "),
		"start the standbys that use these slots, or take a standby that is gone for good out of synchronized_standby_slots").About(0, names...)
}

// holdsBack returns why a failover slot waits for the standby, empty if it does not.
func holdsBack(standby facts.StandbySlot) string {
	switch {
	case !standby.Exists:
		return "does not exist"
	case !standby.Physical:
		return "is not physical"
	case standby.Invalidated:
		return "is invalidated"
	case !standby.Active:
		return "is inactive"
	case standby.Behind == nil:
		return "has confirmed nothing"
	case *standby.Behind > maxStandbyLag:
		return megabytes(*standby.Behind) + " behind"
	}
	return ""
}

// walLimit reports that the slot is about to be lost for the WAL that it retains.
func walLimit(s subject) []check.Entry {
	slot, name := s.Facts.FoundSlot(), slotName(s.slot)
	limit := int64(s.numberSetting("max_slot_wal_keep_size")) << 20 // negative for none; 0 keeps what wal_keep_size does
	message := ""
	switch {
	case slot.WALStatus == "unreserved":
		message = name + " retains more WAL than max_slot_wal_keep_size allows, and is lost at the next checkpoint"
	case slot.SafeWALSize != nil && s.Facts.Settings.Value("max_slot_wal_keep_size") != "" && near(*slot.SafeWALSize, limit, s.limits):
		message = name + " is lost after another " + megabytes(*slot.SafeWALSize) + " of WAL that its consumer has not confirmed, because max_slot_wal_keep_size is " + megabytes(limit)
	default:
		return nil
	}
	const minLimit = 1 << 30
	if slot.Retained != nil {
		limit = max(limit, *slot.Retained)
	}
	raised := max(minLimit, 2*limit) >> 20
	return []check.Entry{check.Warn(check.ReplicationSlot, check.SlotAtRisk, message,
		s.setting("max_slot_wal_keep_size", strconv.FormatInt(raised, 10), "in MB, if the disk has room for it"))}
}

// near reports whether so little WAL is left before the slot is lost that it matters. A
// percentage of a limit of 0 is 0, so a fixed size counts there.
func near(safe, limit int64, l limits) bool {
	if limit == 0 {
		return safe < registrationLimits().minSafeBytes
	}
	return safe < l.minSafeBytes || safe < limit/100*int64(l.minSafePercent)
}

// idleLimit reports that the slot is about to be lost because nothing reads it.
func idleLimit(s subject) []check.Entry {
	const (
		hour      = 60 * 60
		neonLimit = 40 * hour
	)
	slot, name := s.Facts.FoundSlot(), slotName(s.slot)
	if slot.Active {
		return nil
	}
	limit, rule := int64(s.numberSetting("idle_replication_slot_timeout")), "idle_replication_slot_timeout"
	if s.provider() == neon {
		limit, rule = neonLimit, "the time after which Neon drops idle slots"
		if slot.Idle == nil {
			return []check.Entry{check.Warn(check.ReplicationSlot, check.SlotAtRisk,
				"Neon drops slots that nothing reads for some 40 hours, and "+name+" is not being read", "start the consumer soon")}
		}
	}
	if limit <= 0 || slot.Idle == nil {
		return nil
	}
	left := limit - *slot.Idle
	if left >= hour && left >= limit/4 {
		return nil
	}
	return []check.Entry{check.Warn(check.ReplicationSlot, check.SlotAtRisk,
		name+" is lost if nothing reads it for another "+strconv.FormatInt(max(0, left)/60, 10)+" minutes ("+rule+")", "start the consumer before that")}
}

// numberSetting returns a setting of the server, 0 if it is not known to be a number.
func (s *server) numberSetting(name string) int {
	if s.Facts.Server == nil {
		return 0
	}
	n, err := strconv.Atoi(s.Facts.Settings.Value(name))
	if err != nil {
		return 0
	}
	return n
}

func megabytes(n int64) string { return strconv.FormatInt(n>>20, 10) + " MB" }
