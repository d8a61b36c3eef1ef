package probe_test

import (
	"testing"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

const dropSlot = "SELECT pg_drop_replication_slot(%[3]s)"

// slotFailureFindings returns the codes of slots that can't be used.
func slotFailureFindings() map[check.Code]finding {
	return map[check.Code]finding{
		check.SlotNotFound: {check.ReplicationSlot, check.Failed, []state{
			{cause: "it was never made", fix: sql, setup: afterStatements(dropSlot)},
		}},
		check.SlotWrongDatabase: {check.ReplicationSlot, check.Failed, []state{
			{cause: "of another database", fix: advice, setup: func(t *testing.T) *source {
				s, other := newSource(t, shared), newSource(t, shared)
				s.dropSlot()
				s.target.Slot.SlotName = other.target.Slot.SlotName
				other.exec("GRANT SELECT ON t TO " + s.role())
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
			{cause: "its WAL is gone", fix: sql, minMajor: 13, setup: func(t *testing.T) *source {
				s := exceedLimit(t)
				s.admin("CHECKPOINT")
				return s
			}},
		}},
		check.SlotTemporary: {check.ReplicationSlot, check.Failed, []state{
			{cause: "another session's", fix: advice, setup: sourceWith(func(s *source) {
				s.dropSlot()
				owner := openSession(s.t, s.server, s.target.Endpoint.Database, nil)
				mustDo(s.t, owner, s.sql("SELECT pg_create_logical_replication_slot(%[3]s, 'pgoutput', true)"))
			})},
		}},
		check.SlotSynced: {check.ReplicationSlot, check.Failed, []state{
			{cause: "a standby's copy", fix: advice, setup: syncedSlot},
		}},
	}
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
			{cause: "max_slot_wal_keep_size", fix: sql, minMajor: 13, setup: withSetting("max_slot_wal_keep_size", "1GB")},
			{cause: "idle_replication_slot_timeout", fix: sql, minMajor: 18, setup: withSetting("idle_replication_slot_timeout", "1d")},
			{cause: "its WAL may be removed", fix: advice, minMajor: 13, setup: exceedLimit},
		}},
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
