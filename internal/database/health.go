package database

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math/bits"
	"slices"
	"time"

	"github.com/headgate/headgate/internal/check"
)

// HealthStatus says how a registered database is.
type HealthStatus string

// The statuses. Disabled is that of a slot whose status is disabled, which is not
// checked, and Unknown that of a target that was not checked yet.
const (
	HealthHealthy  HealthStatus = "healthy"
	HealthDegraded HealthStatus = "degraded"
	HealthFailing  HealthStatus = "failing"
	HealthDisabled HealthStatus = "disabled"
	HealthUnknown  HealthStatus = "unknown"
)

// Health is what the scheduled checks found. The JSON form is the API's.
type Health struct {
	Status HealthStatus `json:"status"`
	// Since is when the status became what it is, nil if it is not known.
	Since *time.Time `json:"since"`
	// CheckedAt is when the checks found what is here, nil if nothing was checked.
	CheckedAt *time.Time `json:"checked_at"`
	// Checks is the report. It has the warnings too that the database was registered with.
	Checks check.Report `json:"checks"`
	Slot   SlotState    `json:"slot"`
}

// SlotState is the replication slot as the server describes it. A member is nil if the
// server does not tell it, or was not asked.
type SlotState struct {
	Active *bool `json:"active"`
	// WALStatus is reserved, extended, unreserved or lost (from 13).
	WALStatus *string `json:"wal_status"`
	// RetainedBytes is the WAL that the server keeps for the slot.
	RetainedBytes *int64 `json:"retained_bytes"`
	// SafeWALBytes is how much WAL can be written before the slot can be lost (from 13,
	// with max_slot_wal_keep_size).
	SafeWALBytes      *int64     `json:"safe_wal_bytes"`
	ConfirmedFlushLSN *string    `json:"confirmed_flush_lsn"`
	InactiveSince     *time.Time `json:"inactive_since"` // from 17
}

// sizeClass returns the class of the size of the retained WAL. Classes begin at 64 MiB
// and double.
func (s SlotState) sizeClass() int {
	const smallest = 64 << 20
	if s.RetainedBytes == nil {
		return -1
	}
	return bits.Len64(uint64(max(0, *s.RetainedBytes)) / smallest)
}

// HealthLimits are the sizes of retained WAL at which a slot becomes degraded.
type HealthLimits struct {
	// RetainedBytes is how much WAL a slot may retain.
	RetainedBytes int64
	// SafePercent is how much of max_slot_wal_keep_size has to be left before the slot
	// is lost.
	SafePercent int
}

const (
	defaultRetainedBytes = 1 << 30
	defaultSafePercent   = 25
)

// DefaultHealthLimits returns 1 GiB and 25 %. 1 GiB is what a reader that keeps up
// stays under: it is the default distance between checkpoints.
func DefaultHealthLimits() HealthLimits {
	return HealthLimits{RetainedBytes: defaultRetainedBytes, SafePercent: defaultSafePercent}
}

// after returns the limits of the check that follows one with these codes. They are
// stricter for what was over a limit already, so that a slot at a limit does not change
// its status with each check.
func (l HealthLimits) after(codes []check.Code) HealthLimits {
	if slices.Contains(codes, check.SlotLagging) {
		l.RetainedBytes /= 2
	}
	if slices.Contains(codes, check.SlotAtRisk) {
		l.SafePercent += l.SafePercent / 2
	}
	return l
}

// HealthRecord is the health of a database as it is stored, in an item of its own, so
// that a check never conflicts with an update.
type HealthRecord struct {
	Account    string `json:"account"`
	DatabaseID string `json:"database_id"`
	// Target identifies the target that was checked. The health of another one is not
	// known.
	Target string `json:"target"`
	// Change is new whenever consumers have to be told: see changed.
	Change string `json:"change"`
	// RequestID is that of the invocation that made the change.
	RequestID string `json:"request_id"`
	// Database is the database that was checked, for whoever is told of the change. It is
	// nil in writes that tell nobody.
	Database *Object `json:"database,omitempty"`
	Health   Health  `json:"health"`
}

// of returns r's health of d.
func (r HealthRecord) of(d Database) Health {
	switch {
	case d.Slot.Status == SlotDisabled:
		return noHealth(HealthDisabled)
	case r.Change == "" || r.Target != d.targetID():
		return noHealth(HealthUnknown)
	}
	return r.Health
}

func noHealth(s HealthStatus) Health { return Health{Status: s, Checks: check.Report{}} }

// changed reports whether consumers have to be told of next: the status is another
// one. Another reason for the same status is no change, or a reason that comes and goes
// would cost an event with each check.
func (r HealthRecord) changed(next HealthRecord) bool {
	return r.Change == "" || r.Target != next.Target || r.Health.Status != next.Health.Status
}

// outdated reports whether next has to be stored over r.
func (r HealthRecord) outdated(next HealthRecord, refresh time.Duration) bool {
	return r.changed(next) ||
		!slices.Equal(r.Health.Checks.Codes(), next.Health.Checks.Codes()) ||
		r.Health.Slot.sizeClass() != next.Health.Slot.sizeClass() ||
		r.Health.CheckedAt == nil || next.Health.CheckedAt.Sub(*r.Health.CheckedAt) >= refresh
}

// judgeHealth returns the status that report gives d.
func (d Database) judgeHealth(report check.Report) HealthStatus {
	if _, failed := report.FirstFailure(); failed {
		return HealthFailing
	}
	if d.hasNews(report) {
		return HealthDegraded
	}
	return HealthHealthy
}

// targetID identifies what a check of d looks at. There is no password in it.
func (d Database) targetID() string {
	slot := d.Slot
	slot.Status = ""
	text, _ := json.Marshal([]any{d.Endpoint, d.Primary, slot}) // strings, numbers and booleans: it can't fail
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
