package facts

// Slot is a row of pg_replication_slots. Age is the age of its catalog_xmin. Retained is
// the WAL from its restart_lsn on, and Pending that from its confirmed_flush_lsn on, in
// bytes. Idle is the time since inactive_since, in seconds.
type Slot struct {
	Plugin             string  `json:"plugin"`
	SlotType           string  `json:"slot_type"`
	Database           string  `json:"database"`
	Temporary          bool    `json:"temporary"`
	Active             bool    `json:"active"`
	ActivePID          *int    `json:"active_pid"`
	RestartLSN         *string `json:"restart_lsn"`
	ConfirmedFlushLSN  *string `json:"confirmed_flush_lsn"`
	WALStatus          string  `json:"wal_status"`          // from 13
	SafeWALSize        *int64  `json:"safe_wal_size"`       // from 13
	TwoPhase           bool    `json:"two_phase"`           // from 14
	Conflicting        bool    `json:"conflicting"`         // from 16
	InvalidationReason *string `json:"invalidation_reason"` // from 17
	Failover           bool    `json:"failover"`            // from 17
	Synced             bool    `json:"synced"`              // from 17
	Age                *int64  `json:"age"`
	Retained           *int64  `json:"retained"`
	Pending            *int64  `json:"pending"`
	Idle               *int64  `json:"idle"`           // from 17
	InactiveSince      *string `json:"inactive_since"` // from 17
	// WaitsFor has the first processes that the creation of the slot waits for. A
	// prepared transaction has 0.
	WaitsFor []int64 `json:"waits_for"`
}

// Logical reports whether the slot is a logical one.
func (s *Slot) Logical() bool { return s.SlotType == "logical" }

// BeingCreated reports whether a session is still making the slot: it gets its
// confirmed_flush_lsn when all transactions that had written have ended.
func (s *Slot) BeingCreated() bool { return s.Logical() && s.Active && s.ConfirmedFlushLSN == nil }

// Invalidated reports whether a logical slot can't be read any more. It shows in
// different ways: up to 15 wal_status is lost and restart_lsn is null, 16 calls the
// slot conflicting, and from 17 there is a reason.
func (s *Slot) Invalidated() bool {
	if !s.Logical() || s.BeingCreated() {
		return false
	}
	return s.WALStatus == "lost" || s.RestartLSN == nil || s.Conflicting || s.InvalidationReason != nil
}

// Slots is what concerns all replication slots of a server.
type Slots struct {
	InUse int `json:"in_use"`
	// FreeSuffix is the smallest number from 2 on that makes the slot's name one that
	// no slot has. It is 0 if there is none.
	FreeSuffix int `json:"free_suffix"`
	// Similar are slots of pgoutput in this database whose name contains the slot's or
	// is contained in it, or differs in underscores only.
	Similar []string `json:"similar"`
	// Standbys are the first slots that synchronized_standby_slots names (from 17).
	Standbys []StandbySlot `json:"standbys"`
}

// StandbySlot is a slot that failover slots wait for. Behind is the WAL that its
// standby has yet to confirm, in bytes; it is nil if nothing was ever confirmed.
type StandbySlot struct {
	Name        string `json:"name"`
	Exists      bool   `json:"exists"`
	Physical    bool   `json:"physical"`
	Active      bool   `json:"active"`
	Invalidated bool   `json:"invalidated"`
	Behind      *int64 `json:"behind"`
}
