package probe_test

import (
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/check"
)

// TestProbe_FixesSpareOtherSlots applies every fix for a slot that may belong to
// somebody else.
func TestProbe_FixesSpareOtherSlots(t *testing.T) {
	t.Parallel()
	for name, setup := range map[string]func(t *testing.T) *source{
		"another plugin": afterStatements(dropSlot, "SELECT pg_create_logical_replication_slot(%[3]s, 'test_decoding')"),
		"physical":       afterStatements(dropSlot, "SELECT pg_create_physical_replication_slot(%[3]s, true)"),
		"another database and plugin": func(t *testing.T) *source {
			s := slotElsewhere(t)
			other := s.admin("SELECT database FROM pg_replication_slots WHERE slot_name = " + s.slot())
			s.admin(s.dropSlotSQL())
			s.execIn(other, s.sql("SELECT pg_create_logical_replication_slot(%[3]s, 'test_decoding')"))
			return s
		},
		"another plugin and in use": sourceWith(func(s *source) {
			s.dropSlot()
			s.exec(s.sql("SELECT pg_create_logical_replication_slot(%[3]s, 'test_decoding')"))
			startStreaming(s, "")
		}),
		"temporary": sourceWith(func(s *source) {
			s.dropSlot()
			owner := openSession(s.t, s.server, s.target.Endpoint.Database, nil)
			mustDo(s.t, owner, s.sql("SELECT pg_create_logical_replication_slot(%[3]s, 'pgoutput', true)"))
		}),
		"all slots taken, one of them physical": func(t *testing.T) *source {
			return slotsTaken(t, dropSlot, "SELECT pg_create_physical_replication_slot(%[3]s)")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			const identity = "SELECT slot_name, plugin, slot_type, database, temporary, active_pid FROM pg_replication_slots WHERE slot_name = "
			slot := s.slot()
			before := s.admin(identity + slot)
			report := s.probe()
			fixes := s.applyAll(report)
			after := s.probe()
			if failure, failed := after.FirstFailure(); failed || len(fixes) == 0 {
				t.Errorf("after %q there is %s:%s", fixes, failure.Code, describe(report))
			}
			if now := s.admin(identity + slot); now != before {
				t.Errorf("the slot was %q and is %q", before, now)
			}
		})
	}
}

// applyAll applies the fixes of the failed checks in order, and returns them.
func (s *source) applyAll(report check.Report) []string {
	s.t.Helper()
	var fixes []string
	for _, c := range report {
		if c.Status == check.Failed && c.Fix != "" {
			s.apply(c.Fix)
			fixes = append(fixes, c.Fix)
		}
	}
	return fixes
}

func TestProbe_SlotThatWorks(t *testing.T) {
	t.Parallel()
	for name, st := range map[string]struct {
		minMajor int
		setup    func(t *testing.T) *source
	}{
		"max_slot_wal_keep_size is far":                      {13, withSetting("max_slot_wal_keep_size", "200GB")},
		"idle_replication_slot_timeout is far":               {18, withSetting("idle_replication_slot_timeout", "1d")},
		"all other slots are taken":                          {12, func(t *testing.T) *source { return slotsTaken(t) }},
		"failover, and no standby is waited for":             {17, afterStatements(dropSlot, "SELECT pg_create_logical_replication_slot(%[3]s, 'pgoutput', failover => true)")},
		"a standby is waited for, but not by this slot":      {17, withSetting("synchronized_standby_slots", "absent")},
		"the role is set to one without REPLICATION":         {12, sourceWith(setRole)},
		"a row filter that raises no error for what is sent": {15, afterStatements("ALTER PUBLICATION %[1]s SET TABLE t WHERE (100 / id > 1)", "INSERT INTO t VALUES (5)")},
		"promoted with the slot":                             {17, promotedSource},
	} {
		if major() < st.minMajor && name != "promoted with the slot" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := st.setup(t).probe()
			for _, c := range []string{check.ReplicationRole, check.ReplicationSlot, check.PublicationOrder} {
				if status(report, c) != check.Passed {
					t.Errorf("%s is %s:%s", c, status(report, c), describe(report))
				}
			}
		})
	}
}

// setRole makes another role the current user of the source's sessions, one that may
// read the table and not replicate. The order is in doubt, so that the slot is read.
func setRole(s *source) {
	group := identifier(s.target.Endpoint.Username + " group")
	s.admin("CREATE ROLE " + group)
	s.admin("GRANT " + group + " TO " + s.role())
	s.admin("ALTER ROLE " + s.role() + " SET role = " + literal(s.target.Endpoint.Username+" group"))
	s.exec("GRANT SELECT ON t TO " + group)
	s.exec(s.sql(altered))
}

// promotedSource is a source whose slot was synced to a standby that was promoted.
func promotedSource(t *testing.T) *source {
	p, err := newPair(decodingMajor(minSyncMajor), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := syncedSlotOn(t, p)
	s.target.Primary = nil
	s.primary = nil
	if promoted := s.admin("SELECT pg_promote()"); promoted != "t" {
		t.Fatalf("pg_promote answered %q", promoted)
	}
	if synced := s.admin("SELECT synced FROM pg_replication_slots WHERE slot_name = " + s.slot()); synced != "t" {
		t.Fatalf("synced is %q", synced)
	}
	return s
}

func TestProbe_SessionRole(t *testing.T) {
	t.Parallel()
	s := sourceWith(setRole)(t)
	s.admin("ALTER ROLE " + s.role() + " NOREPLICATION")
	report := s.probe()
	c, ok := entry(report, check.ReplicationNotPermitted)
	if !ok || !strings.Contains(c.Message, s.role()) {
		t.Fatal(describe(report))
	}
	s.apply(c.Fix)
	if failure, failed := s.probe().FirstFailure(); failed {
		t.Errorf("after %q there is %s: %s", c.Fix, failure.Code, failure.Message)
	}
}

func TestProbe_SlotFixOfSetRole(t *testing.T) {
	t.Parallel()
	s := sourceWith(setRole)(t)
	s.dropSlot()
	c, _ := entry(s.probe(), check.SlotNotFound)
	if !strings.Contains(c.Fix, "after SET ROLE NONE") {
		t.Errorf("the fix is %q", c.Fix)
	}
}

func TestProbe_FixKeepsFailover(t *testing.T) {
	t.Parallel()
	if major() < minSyncMajor {
		return
	}
	s := afterStatements(dropSlot, "SELECT pg_create_logical_replication_slot(%[3]s, 'pgoutput', failover => true)",
		"DROP PUBLICATION %[1]s", "INSERT INTO t VALUES (1)", "CREATE PUBLICATION %[1]s FOR TABLE t")(t)
	report := s.probe()
	c, ok := entry(report, check.PublicationAfterSlot)
	if !ok || !strings.Contains(c.Fix, "lost") {
		t.Fatal(describe(report))
	}
	s.apply(c.Fix)
	if failover := s.admin("SELECT failover FROM pg_replication_slots WHERE slot_name = " + s.slot()); failover != "t" {
		t.Errorf("failover is %q", failover)
	}
}

// TestProbe_HeldBackOrder has a slot that a peek would wait for, and an order in doubt.
func TestProbe_HeldBackOrder(t *testing.T) {
	t.Parallel()
	if major() < minSyncMajor {
		return
	}
	s := heldBackBy("SELECT pg_create_physical_replication_slot('sb1', true)")(t)
	s.setSetting("synchronized_standby_slots", "SB1") // in lower case, as it is not quoted
	s.exec(s.sql(altered))
	report := s.probe()
	held, ok := entry(report, check.SlotHeldBack)
	if !ok || !strings.Contains(held.Message, `"sb1" (is inactive)`) || held.Objects != `"sb1"` {
		t.Error(describe(report))
	}
	if c, ok := entry(report, check.PublicationAfterSlotSuspected); !ok || !strings.Contains(c.Message, "synchronized_standby_slots") {
		t.Error(describe(report))
	}
}

func TestProbe_SlotBeingCreatedOnStandby(t *testing.T) {
	t.Parallel()
	p, err := newPair(decodingMajor(minDecodingMajor), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := newReplica(t, p)
	onStandby := *s
	onStandby.primary = nil
	for range 5 {
		s.dropSlot()
		creator := openSession(t, s.server, s.target.Endpoint.Database, nil)
		send(t, creator, s.createSlot())
		onStandby.waitForSlot("true")
		report := s.probe()
		c, ok := entry(report, check.SlotBeingCreated)
		if ok {
			s.apply(c.Fix)
		}
		onStandby.waitForSlot("confirmed_flush_lsn IS NOT NULL AND NOT active")
		if failure, failed := s.probe().FirstFailure(); failed {
			t.Errorf("after %q there is %s: %s", c.Fix, failure.Code, failure.Message)
		}
		if ok { // otherwise the primary has just logged its transactions of itself
			return
		}
	}
	t.Error("the slot never is being created")
}

func TestProbe_StandbyThatCannotDecode(t *testing.T) {
	t.Parallel()
	s := newReplica(t, pairOf(t, min(maxUnsupportedMajor, major())))
	if c, ok := entry(s.probe(), check.SlotNotFound); !ok || c.Fix != "" {
		t.Errorf("the fix is %q", c.Fix)
	}
}

func TestProbe_SimilarSlot(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	exists := s.target.Slot.SlotName
	for _, asked := range []string{exists + "_x", strings.ReplaceAll(exists, "_", ""), strings.Replace(exists, "_", "__", 1)} {
		s.target.Slot.SlotName = asked
		c, ok := entry(s.probe(), check.SlotNotFound)
		if !ok || !strings.Contains(c.Message, `this database has "`+exists+`"`) || !strings.HasPrefix(c.Fix, "SELECT pg_create") {
			t.Errorf("%s: got %+v", asked, c)
		}
	}
	s.target.Slot.SlotName = "absent"
	if c, _ := entry(s.probe(), check.SlotNotFound); strings.Contains(c.Message, exists) {
		t.Errorf("got %+v", c)
	}
	s.target.Slot.SlotName = exists
}
