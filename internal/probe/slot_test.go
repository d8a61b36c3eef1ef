package probe_test

import (
	"testing"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

// revokeSlots takes the right to make slots from all roles but superusers.
const revokeSlots = "DO $$ BEGIN EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', (SELECT oid::regprocedure FROM pg_proc WHERE proname = 'pg_create_logical_replication_slot')); END $$"

const dropSlot = "SELECT pg_drop_replication_slot(%[3]s)"

// slotFailureFindings returns the codes of slots that can't be used.
func slotFailureFindings() map[check.Code]finding {
	return map[check.Code]finding{
		check.NoSlotAvailable: {check.ReplicationSlot, check.Failed, []state{
			{cause: "all are taken", fix: sql, otherFailures: true, setup: func(t *testing.T) *source { return slotsTaken(t, dropSlot) }},
		}},
		check.SlotNotFound: {check.ReplicationSlot, check.Failed, []state{
			{cause: "it was never made", fix: sql, setup: afterStatements(dropSlot)},
			{cause: "it was never made, and the role may not execute the function", fix: sql, setup: afterStatements(dropSlot, revokeSlots)},
		}},
		check.SlotWrongDatabase: {check.ReplicationSlot, check.Failed, []state{
			{cause: "of another database", fix: sql, setup: slotElsewhere},
			{cause: "of another database, which has the publication alone", fix: advice, setup: func(t *testing.T) *source {
				s := slotElsewhere(t)
				s.exec("DROP PUBLICATION " + s.publication())
				return s
			}, repair: func(s *source) {
				s.target.Endpoint.Database = s.admin("SELECT database FROM pg_replication_slots WHERE slot_name = " + s.slot())
			}},
		}},
		check.SlotNotLogical: {check.ReplicationSlot, check.Failed, []state{
			{cause: "physical", fix: sql, setup: afterStatements(dropSlot, "SELECT pg_create_physical_replication_slot(%[3]s)")},
			{cause: "physical, with reserved WAL", fix: sql, setup: afterStatements(dropSlot, "SELECT pg_create_physical_replication_slot(%[3]s, true)")},
		}},
		check.SlotWrongPlugin: {check.ReplicationSlot, check.Failed, []state{
			{cause: "test_decoding", fix: sql, setup: afterStatements(dropSlot, "SELECT pg_create_logical_replication_slot(%[3]s, 'test_decoding')")},
		}},
		check.SlotInvalidated: {check.ReplicationSlot, check.Failed, []state{
			{cause: "its WAL is gone", fix: sql, minMajor: 13, setup: lostSlot},
		}},
		check.SlotTemporary: {check.ReplicationSlot, check.Failed, []state{
			{cause: "another session's", fix: sql, setup: sourceWith(func(s *source) {
				s.dropSlot()
				owner := openSession(s.t, s.server, s.target.Endpoint.Database, nil)
				mustDo(s.t, owner, s.sql("SELECT pg_create_logical_replication_slot(%[3]s, 'pgoutput', true)"))
			})},
		}},
		check.SlotSynced: {check.ReplicationSlot, check.Failed, []state{
			{cause: "a standby's copy", fix: sql, setup: syncedSlot},
		}},
		check.SlotBeingCreated: {check.ReplicationSlot, check.Failed, []state{
			{cause: "a transaction has written", fix: advice, says: "end the transaction of PID ", setup: sourceWith(startCreating), repair: endTransactions},
			{cause: "a transaction is prepared", fix: advice, setup: func(t *testing.T) *source {
				s := newSource(t, pgtest.Start(t, pgserver.Options{Settings: map[string]string{"max_prepared_transactions": "5"}}))
				s.dropSlot()
				s.exec("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'p'")
				s.createSlotInBackground()
				return s
			}, repair: func(s *source) {
				s.exec("ROLLBACK PREPARED 'p'")
				s.waitForSlot("confirmed_flush_lsn IS NOT NULL AND NOT active")
			}},
		}},
	}
}

// slotElsewhere is a source whose slot is one of another database.
func slotElsewhere(t *testing.T) *source {
	s, other := newSource(t, shared), newSource(t, shared)
	s.dropSlot()
	s.target.Slot.SlotName = other.target.Slot.SlotName
	other.exec("GRANT SELECT ON t TO " + s.role())
	return s
}

// slotsTaken is a source on a server on which no other slot can be made, after these
// statements.
func slotsTaken(t *testing.T, formats ...string) *source {
	s := newSource(t, pgtest.Start(t, pgserver.Options{Settings: map[string]string{"max_replication_slots": "2"}}))
	for _, f := range formats {
		s.exec(s.sql(f))
	}
	for s.admin("SELECT count(*) < 2 FROM pg_replication_slots") == "t" {
		s.admin("SELECT pg_create_physical_replication_slot('taken_' || count(*)) FROM pg_replication_slots")
	}
	return s
}

// lostSlot is a source whose slot is invalidated.
func lostSlot(t *testing.T) *source {
	s := exceedLimit(t)
	s.admin("CHECKPOINT")
	return s
}

// startCreating leaves the slot's creation waiting for a transaction.
func startCreating(s *source) {
	s.dropSlot()
	writer := openSession(s.t, s.server, s.target.Endpoint.Database, map[string]string{"application_name": "writer"})
	mustDo(s.t, writer, "BEGIN")
	mustDo(s.t, writer, "INSERT INTO t VALUES (1)")
	s.createSlotInBackground()
}

// createSlotInBackground returns once the creation waits for a transaction.
func (s *source) createSlotInBackground() {
	s.t.Helper()
	creator := openSession(s.t, s.server, s.target.Endpoint.Database, nil)
	send(s.t, creator, s.createSlot())
	s.t.Cleanup(s.dropSlot)
	s.waitForSlot("confirmed_flush_lsn IS NULL AND cardinality(pg_blocking_pids(active_pid)) > 0")
}

// waitForSlot returns once the slot is in a state that a condition describes.
func (s *source) waitForSlot(condition string) {
	s.t.Helper()
	for s.admin("SELECT count(*) FROM pg_replication_slots WHERE slot_name = "+s.slot()+" AND "+condition) != "1" {
		if s.t.Context().Err() != nil {
			s.t.Fatalf("the slot never is in the state %s", condition)
		}
	}
}

func endTransactions(s *source) {
	s.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'writer' AND datname = current_database()")
	s.waitForSlot("confirmed_flush_lsn IS NOT NULL AND NOT active")
}

// exceedLimit returns a source whose slot retains more WAL than max_slot_wal_keep_size.
func exceedLimit(t *testing.T) *source {
	server := pgtest.Start(t, pgserver.Options{Settings: map[string]string{
		"max_slot_wal_keep_size": "1MB", "wal_keep_size": "0", "autovacuum": "off",
	}})
	s := newSource(t, server)
	s.switchWAL(4)
	return s
}

// switchWAL writes n segments of 16 MB.
func (s *source) switchWAL(n int) {
	s.t.Helper()
	for range n {
		s.admin("SELECT pg_logical_emit_message(false, 'a', 'b')")
		s.admin("SELECT pg_switch_wal()")
	}
}

// slotWarningFindings returns the codes of slots that can be used with care.
func slotWarningFindings() map[check.Code]finding {
	return map[check.Code]finding{
		check.SlotActive: {check.ReplicationSlot, check.Warned, []state{
			{cause: "a reader", fix: advice, setup: sourceWith(startReading)},
		}},
		check.SlotLagging: {check.ReplicationSlot, check.Warned, []state{
			{cause: "272 MB", setup: func(t *testing.T) *source {
				s := newSource(t, pgtest.Start(t, pgserver.Options{}))
				s.switchWAL(17)
				return s
			}},
		}},
		check.SlotAtRisk: {check.ReplicationSlot, check.Warned, []state{
			{cause: "a small max_slot_wal_keep_size", fix: sql, minMajor: 13, says: "not confirmed, because max_slot_wal_keep_size is 200 MB", setup: withSetting("max_slot_wal_keep_size", "200MB")},
			{cause: "max_slot_wal_keep_size is 0", fix: sql, minMajor: 13, setup: withSetting("max_slot_wal_keep_size", "0")},
			{cause: "three quarters of max_slot_wal_keep_size are reached", fix: sql, minMajor: 13, setup: func(t *testing.T) *source {
				s := withSetting("max_slot_wal_keep_size", "1100MB")(t)
				s.switchWAL(53)
				return s
			}},
			{cause: "its WAL may be removed", fix: sql, minMajor: 13, setup: exceedLimit},
			{
				cause: "idle_replication_slot_timeout", fix: advice, minMajor: 18, repair: startReading,
				setup: withSetting("idle_replication_slot_timeout", "50min"),
			},
		}},
		check.SlotHeldBack: {check.ReplicationSlot, check.Warned, []state{
			{cause: "a standby is missing", fix: advice, minMajor: 17, setup: heldBackBy(""), repair: removeStandby},
			{cause: "a standby is inactive", fix: advice, minMajor: 17, setup: heldBackBy("SELECT pg_create_physical_replication_slot('sb1', true)"), repair: removeStandby},
			{
				cause: "it is a logical slot", fix: advice, minMajor: 17, repair: removeStandby,
				setup: heldBackBy("SELECT pg_create_logical_replication_slot('sb1', 'pgoutput')"),
			},
		}},
		check.SlotTwoPhase: {check.ReplicationSlot, check.Warned, []state{
			{cause: "transactions can be prepared", fix: sql, minMajor: 14, setup: twoPhaseSlot("5")},
			{cause: "no transaction can be prepared for now", fix: sql, minMajor: 14, setup: twoPhaseSlot("0")},
		}},
	}
}

// heldBackBy returns a setup of a failover slot that waits for the slot sb1, after SQL.
func heldBackBy(sql string) func(t *testing.T) *source {
	return func(t *testing.T) *source {
		s := newSource(t, pgtest.Start(t, pgserver.Options{}))
		s.dropSlot()
		s.exec(s.sql("SELECT pg_create_logical_replication_slot(%[3]s, 'pgoutput', failover => true)"))
		if sql != "" {
			s.exec(sql)
		}
		s.setSetting("synchronized_standby_slots", "sb1")
		s.exec("INSERT INTO t VALUES (1)")
		return s
	}
}

func removeStandby(s *source) { s.setSetting("synchronized_standby_slots", "") }

// setSetting changes a setting of the server with a reload, and returns once sessions see it.
func (s *source) setSetting(name, value string) {
	s.t.Helper()
	s.admin("ALTER SYSTEM SET " + name + " = " + literal(value))
	if err := s.server.Reload(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// twoPhaseSlot returns a setup of a slot with two_phase on a server on which so many
// transactions can be prepared.
func twoPhaseSlot(prepared string) func(t *testing.T) *source {
	return func(t *testing.T) *source {
		s := withSetting("max_prepared_transactions", prepared)(t)
		s.dropSlot()
		s.exec(s.sql("SELECT pg_create_logical_replication_slot(%[3]s, 'pgoutput', false, true)"))
		return s
	}
}

func withSetting(setting, value string) func(t *testing.T) *source {
	return func(t *testing.T) *source {
		return newSource(t, pgtest.Start(t, pgserver.Options{Settings: map[string]string{setting: value}}))
	}
}

func TestProbe_OrderOfUnusableSlot(t *testing.T) {
	t.Parallel()
	for name, setup := range map[string]func(t *testing.T) *source{
		"physical":     afterStatements(dropSlot, "SELECT pg_create_physical_replication_slot(%[3]s)"),
		"wrong plugin": afterStatements(dropSlot, "SELECT pg_create_logical_replication_slot(%[3]s, 'test_decoding')"),
		"absent":       afterStatements(dropSlot),
	} {
		if report := setup(t).probe(); status(report, check.PublicationOrder) != check.Skipped {
			t.Errorf("%s: %s", name, describe(report))
		}
	}
}
