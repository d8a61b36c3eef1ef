package judge

import (
	"slices"
	"strings"
	"time"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
)

// Health returns the report on a registered target that was asked by an ordinary
// session, and the state of its slot. The same judges as at a registration decide,
// without those of undecidable checks. That the slot is in use is no finding.
func Health(t database.Target, target facts.Evidence, primary *facts.Evidence, l database.HealthLimits) (check.Report, database.SlotState) {
	s := newSubject(t, target, primary)
	s.limits = limits{maxRetained: l.RetainedBytes, minSafePercent: l.SafePercent}
	var report check.Report
	for _, r := range checks() {
		if undecidable(r.name, s) {
			report = append(report, check.Entry{Name: r.name, Status: check.Skipped})
			continue
		}
		report = append(report, r.entries(s)...)
	}
	report = report.Without(func(e check.Entry) bool { return e.Code == check.SlotActive })
	if repeatsPassword(t, []*facts.Evidence{&target, primary}) {
		return screen(report, t, &target, primary), database.SlotState{}
	}
	return screen(report, t, &target, primary), slotState(s)
}

// undecidable reports whether an ordinary session can't decide the check. A pooler
// shows itself to a walsender only, and so does a role that may not replicate: not
// every provider has the right in the role's attributes. The order takes a peek. Who
// reads the slot has a walsender already.
func undecidable(name string, s subject) bool {
	switch name {
	case check.Pooler, check.ReplicationRole, check.PublicationOrder:
		return true
	case check.WALSenders:
		slot := s.Facts.FoundSlot()
		return slot != nil && slot.Active
	}
	return false
}

// slotState returns the state of the slot, with nil for each value that is not of the
// form that Postgres gives it: a server may send anything.
func slotState(s subject) database.SlotState {
	slot := s.Facts.FoundSlot()
	if slot == nil {
		return database.SlotState{}
	}
	state := database.SlotState{Active: &slot.Active, RetainedBytes: notNegative(slot.Retained), SafeWALBytes: notNegative(slot.SafeWALSize)}
	if slices.Contains([]string{"reserved", "extended", "unreserved", "lost"}, slot.WALStatus) {
		state.WALStatus = &slot.WALStatus
	}
	if lsn := slot.ConfirmedFlushLSN; lsn != nil && isLSN(*lsn) {
		state.ConfirmedFlushLSN = lsn
	}
	if slot.InactiveSince != nil {
		if since, err := time.Parse(time.RFC3339Nano, *slot.InactiveSince); err == nil {
			since = since.UTC().Truncate(time.Second)
			state.InactiveSince = &since
		}
	}
	return state
}

// notNegative returns n, with 0 for a negative number: safe_wal_size is negative for a
// slot that retains more than it may.
func notNegative(n *int64) *int64 {
	if n == nil {
		return nil
	}
	v := max(0, *n)
	return &v
}

// isLSN reports whether text has the form of an LSN.
func isLSN(text string) bool {
	const maxDigits = 8
	high, low, ok := strings.Cut(text, "/")
	hex := func(part string) bool {
		return part != "" && len(part) <= maxDigits && strings.Trim(part, "0123456789ABCDEF") == ""
	}
	return ok && hex(high) && hex(low)
}
