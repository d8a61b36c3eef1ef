package probe_test

import (
	"testing"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

// serverFindings are those about the server as a whole, and the role on it.
func serverFindings() map[check.Code]finding {
	return map[check.Code]finding{
		check.ConnectionPooler: {check.Pooler, check.Failed, []state{
			{cause: "PgBouncer refuses replication", fix: words, bring: pooled(""), mend: direct},
			{
				cause: "PgBouncer passes replication over", fix: words, mend: direct,
				bring: pooled(ignoredByPooler),
			},
		}},
		check.WALLevelNotLogical: {check.WALLevel, check.Failed, []state{
			{cause: "replica", fix: sql, more: true, bring: func(t *testing.T) *source {
				return withoutSlot(t, map[string]string{"wal_level": "replica"})
			}},
			{cause: "minimal", fix: sql, more: true, bring: func(t *testing.T) *source {
				return withoutSlot(t, map[string]string{"wal_level": "minimal", "max_wal_senders": "0"})
			}},
		}},
		check.ReplicationNotPermitted: {check.ReplicationRole, check.Failed, []state{
			{cause: "NOREPLICATION", fix: sql, bring: changed(func(s *source) { s.admin("ALTER ROLE " + s.role() + " NOREPLICATION") })},
		}},
		check.NoWALSenderAvailable: {check.WALSenders, check.Failed, []state{
			{cause: "all are in use", fix: sql, bring: func(t *testing.T) *source {
				s := fewWALSenders(t, "1")
				hold(t, s.server, "postgres", map[string]string{"replication": "database"})
				return s
			}},
			{cause: "there are none", fix: sql, bring: func(t *testing.T) *source { return fewWALSenders(t, "0") }},
		}},
		check.WALSendersLow: {check.WALSenders, check.Warned, []state{
			{cause: "only this one", fix: sql, bring: func(t *testing.T) *source { return fewWALSenders(t, "1") }},
		}},
	}
}

func fewWALSenders(t *testing.T, n string) *source {
	return newSource(t, pgtest.Start(t, pgserver.Options{Settings: map[string]string{"max_wal_senders": n}}))
}

// withoutSlot is a source on a server that takes no logical slots.
func withoutSlot(t *testing.T, settings map[string]string) *source {
	server := pgtest.Start(t, pgserver.Options{Settings: settings})
	s := &source{t: t, server: server, target: newTarget(sources.Add(1), server.Port())}
	s.prepare()
	return s
}

func TestWithoutReplicationTheReportIsComplete(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	s.admin("ALTER ROLE " + s.role() + " NOREPLICATION")
	s.exec(s.sql("REVOKE SELECT ON t FROM %[2]s"))
	report := s.probe()
	want := map[string]check.Status{
		check.Standby: check.Skipped, check.ReplicationRole: check.Failed, check.Tables: check.Warned,
	}
	for _, name := range check.Names() {
		expected, ok := want[name]
		if !ok {
			expected = check.Passed
		}
		// The order can't be settled for a role that may not read the slot.
		if got := status(report, name); got != expected && name != check.PublicationOrder {
			t.Errorf("%s is %s, want %s", name, got, expected)
		}
	}
	if t.Failed() {
		t.Log(describe(report))
	}
}

func TestASuperuserNeedsNoReplication(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	s.admin("ALTER ROLE " + s.role() + " NOREPLICATION SUPERUSER")
	if failure, failed := s.probe().FirstFailure(); failed {
		t.Errorf("%s: %s", failure.Code, failure.Message)
	}
}

// TestWhatIsRefusedCostsNothingElse refuses one function or relation after the
// other, in databases of their own.
func TestWhatIsRefusedCostsNothingElse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		refuse string
		costs  map[string]check.Status
	}{
		{"REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC", nil},
		{"REVOKE EXECUTE ON FUNCTION pg_stat_get_wal_senders() FROM PUBLIC", map[string]check.Status{check.WALSenders: check.Skipped}},
		{"REVOKE SELECT ON pg_publication_tables FROM PUBLIC", map[string]check.Status{check.Tables: check.Skipped}},
		{"REVOKE SELECT ON pg_replication_slots FROM PUBLIC", map[string]check.Status{
			check.Authentication: check.Failed, check.ReplicationSlot: check.Skipped, check.PublicationOrder: check.Skipped,
		}},
		{"REVOKE SELECT ON pg_settings FROM PUBLIC", map[string]check.Status{
			check.Authentication: check.Failed, check.Pooler: check.Skipped,
			check.WALLevel: check.Skipped, check.WALSenders: check.Skipped, check.PublicationOrder: check.Skipped,
		}},
	} {
		t.Run(c.refuse, func(t *testing.T) {
			t.Parallel()
			s := newSource(t, shared)
			s.exec(c.refuse)
			report := s.probe()
			for _, name := range check.Names() {
				want, ok := c.costs[name]
				if !ok {
					want = check.Passed
				}
				if got := status(report, name); got != want && name != check.Standby {
					t.Errorf("%s is %s, want %s", name, got, want)
				}
			}
			if t.Failed() {
				t.Log(describe(report))
			}
		})
	}
}

func TestALockedTableCostsNothingElse(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	lock := hold(t, shared, s.target.Endpoint.Database, nil)
	mustDo(t, lock, "BEGIN")
	mustDo(t, lock, "LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
	report := s.probe()
	if failure, failed := report.FirstFailure(); failed {
		t.Errorf("%s:%s", failure.Code, describe(report))
	}
	if got := status(report, check.ReplicationSlot); got != check.Passed {
		t.Errorf("the slot is %s:%s", got, describe(report))
	}
}
