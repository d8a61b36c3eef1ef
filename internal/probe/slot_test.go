package probe_test

import (
	"testing"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

const dropSlot = "SELECT pg_drop_replication_slot(%[3]s)"

// slotFailureFindings are the slots that can't be used.
func slotFailureFindings() map[check.Code]finding {
	return map[check.Code]finding{
		check.SlotNotFound: {check.ReplicationSlot, check.Failed, []state{
			{cause: "it was never made", fix: sql, bring: inTurn(dropSlot)},
		}},
		check.SlotWrongDatabase: {check.ReplicationSlot, check.Failed, []state{
			{cause: "it is another source's", fix: words, bring: func(t *testing.T) *source {
				s, other := newSource(t, shared), newSource(t, shared)
				s.dropSlot()
				s.target.Slot.SlotName = other.target.Slot.SlotName
				other.exec("GRANT SELECT ON t TO " + s.role())
				return s
			}, mend: func(s *source) {
				s.target.Endpoint.Database = s.admin("SELECT database FROM pg_replication_slots WHERE slot_name = " + s.slot())
			}},
		}},
		check.SlotNotLogical: {check.ReplicationSlot, check.Failed, []state{
			{cause: "it is physical", fix: sql, bring: inTurn(dropSlot, "SELECT pg_create_physical_replication_slot(%[3]s)")},
			{cause: "it is physical and keeps WAL", fix: sql, bring: inTurn(dropSlot, "SELECT pg_create_physical_replication_slot(%[3]s, true)")},
		}},
		check.SlotWrongPlugin: {check.ReplicationSlot, check.Failed, []state{
			{cause: "test_decoding", fix: sql, bring: inTurn(dropSlot, "SELECT pg_create_logical_replication_slot(%[3]s, 'test_decoding')")},
		}},
		check.SlotInvalidated: {check.ReplicationSlot, check.Failed, []state{
			{cause: "its WAL is gone", fix: sql, since: 13, bring: func(t *testing.T) *source {
				s := outrun(t)
				s.admin("CHECKPOINT")
				return s
			}},
		}},
		check.SlotTemporary: {check.ReplicationSlot, check.Failed, []state{
			{cause: "another session's", fix: words, bring: changed(func(s *source) {
				s.dropSlot()
				owner := hold(s.t, s.server, s.target.Endpoint.Database, nil)
				mustDo(s.t, owner, s.sql("SELECT pg_create_logical_replication_slot(%[3]s, 'pgoutput', true)"))
			})},
		}},
		check.SlotSynced: {check.ReplicationSlot, check.Failed, []state{
			{cause: "a standby's copy", fix: words, bring: syncedSlot},
		}},
	}
}

// outrun is a source whose slot holds back more WAL than it may.
func outrun(t *testing.T) *source {
	server := pgtest.Start(t, pgserver.Options{Settings: map[string]string{
		"max_slot_wal_keep_size": "1MB", "wal_keep_size": "0", "autovacuum": "off",
	}})
	s := newSource(t, server)
	s.switchWAL(4)
	return s
}

// switchWAL moves on by so many segments of 16 MB.
func (s *source) switchWAL(n int) {
	s.t.Helper()
	for range n {
		s.admin("SELECT pg_logical_emit_message(false, 'a', 'b')")
		s.admin("SELECT pg_switch_wal()")
	}
}

// slotWarningFindings are the slots that can be used with care.
func slotWarningFindings() map[check.Code]finding {
	return map[check.Code]finding{
		check.SlotActive: {check.ReplicationSlot, check.Warned, []state{
			{cause: "somebody reads it", fix: words, bring: changed(read)},
		}},
		check.SlotLagging: {check.ReplicationSlot, check.Warned, []state{
			{cause: "272 MB", bring: func(t *testing.T) *source {
				s := newSource(t, pgtest.Start(t, pgserver.Options{}))
				s.switchWAL(17)
				return s
			}},
		}},
		check.SlotAtRisk: {check.ReplicationSlot, check.Warned, []state{
			{cause: "a limit on the WAL it keeps", fix: sql, since: 13, bring: limited("max_slot_wal_keep_size", "1GB")},
			{cause: "a limit on its idleness", fix: sql, since: 18, bring: limited("idle_replication_slot_timeout", "1d")},
			{cause: "its WAL may be removed", fix: words, since: 13, bring: outrun},
		}},
	}
}

func limited(setting, value string) func(t *testing.T) *source {
	return func(t *testing.T) *source {
		return newSource(t, pgtest.Start(t, pgserver.Options{Settings: map[string]string{setting: value}}))
	}
}

func TestASlotThatIsInvalidIsNotAskedForTheOrder(t *testing.T) {
	t.Parallel()
	for name, bring := range map[string]func(t *testing.T) *source{
		"physical":     inTurn(dropSlot, "SELECT pg_create_physical_replication_slot(%[3]s)"),
		"wrong plugin": inTurn(dropSlot, "SELECT pg_create_logical_replication_slot(%[3]s, 'test_decoding')"),
		"absent":       inTurn(dropSlot),
	} {
		if report := bring(t).probe(); status(report, check.PublicationOrder) != check.Skipped {
			t.Errorf("%s: %s", name, describe(report))
		}
	}
}
