package probe_test

import (
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

// serverFindings returns the codes of the checks from pooler to walsenders, except
// server_version and standby.
func serverFindings() map[check.Code]finding {
	return map[check.Code]finding{
		check.ConnectionPooler: {check.Pooler, check.Failed, []state{
			{cause: "PgBouncer rejects replication", fix: advice, setup: pooled(""), repair: bypassPooler},
			{
				cause: "PgBouncer ignores replication", fix: advice, repair: bypassPooler,
				setup: pooled(poolerParameters),
			},
		}},
		check.WALLevelNotLogical: {check.WALLevel, check.Failed, []state{
			{cause: "replica", fix: sql, otherFailures: true, setup: func(t *testing.T) *source {
				return withoutSlot(t, map[string]string{"wal_level": "replica"})
			}},
			{cause: "minimal", fix: sql, otherFailures: true, setup: func(t *testing.T) *source {
				return withoutSlot(t, map[string]string{"wal_level": "minimal", "max_wal_senders": "0"})
			}},
		}},
		check.ReplicationNotPermitted: {check.ReplicationRole, check.Failed, []state{
			{cause: "NOREPLICATION", fix: sql, setup: sourceWith(func(s *source) { s.admin("ALTER ROLE " + s.role() + " NOREPLICATION") })},
		}},
		check.NoWALSenderAvailable: {check.WALSenders, check.Failed, []state{
			{cause: "all are in use", fix: sql, setup: func(t *testing.T) *source {
				s := fewWALSenders(t, "1")
				openSession(t, s.server, "postgres", map[string]string{"replication": "database"})
				return s
			}},
			{cause: "there are none", fix: sql, setup: func(t *testing.T) *source { return fewWALSenders(t, "0") }},
		}},
		check.WALSendersLow: {check.WALSenders, check.Warned, []state{
			{cause: "only this one", fix: sql, says: "the only walsender", setup: func(t *testing.T) *source { return fewWALSenders(t, "1") }},
			{cause: "the slot's reader has the last one", fix: sql, setup: func(t *testing.T) *source {
				s := fewWALSenders(t, "1")
				startReading(s)
				return s
			}},
		}},
	}
}

func fewWALSenders(t *testing.T, n string) *source {
	return newSource(t, pgtest.Start(t, pgserver.Options{Settings: map[string]string{"max_wal_senders": n}}))
}

// withoutSlot returns a source without a slot, on a server with these settings.
func withoutSlot(t *testing.T, settings map[string]string) *source {
	server := pgtest.Start(t, pgserver.Options{Settings: settings})
	s := &source{t: t, server: server, target: newTarget(sources.Add(1), server.Port())}
	s.prepare()
	return s
}

func TestProbe_WithoutReplication(t *testing.T) {
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
		// A role that may not read the slot leaves the order open.
		if got := status(report, name); got != expected && name != check.PublicationOrder {
			t.Errorf("%s is %s, want %s", name, got, expected)
		}
	}
	if t.Failed() {
		t.Log(describe(report))
	}
}

func TestProbe_Superuser(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	s.admin("ALTER ROLE " + s.role() + " NOREPLICATION SUPERUSER")
	if failure, failed := s.probe().FirstFailure(); failed {
		t.Errorf("%s: %s", failure.Code, failure.Message)
	}
}

// TestProbe_RevokedPrivileges revokes one privilege after the other, each in a database
// of its own.
func TestProbe_RevokedPrivileges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		revoke string
		costs  map[string]check.Status
	}{
		{"REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC", nil},
		{"REVOKE EXECUTE ON FUNCTION pg_stat_get_wal_senders() FROM PUBLIC", map[string]check.Status{check.WALSenders: check.Warned}},
		{"REVOKE SELECT ON pg_publication_tables FROM PUBLIC", nil},
		{"REVOKE SELECT ON pg_stat_activity FROM PUBLIC", nil},
		{"REVOKE SELECT ON pg_roles FROM PUBLIC", nil},
		{"REVOKE SELECT ON pg_database FROM PUBLIC", nil},
		{"REVOKE SELECT ON pg_inherits FROM PUBLIC", map[string]check.Status{check.Tables: check.Warned}},
		{"REVOKE SELECT ON pg_publication FROM PUBLIC", map[string]check.Status{
			check.Publication: check.Warned, check.PublicationOrder: check.Warned, check.Tables: check.Warned,
		}},
		{"REVOKE SELECT ON pg_publication_rel FROM PUBLIC", map[string]check.Status{check.PublicationOrder: check.Warned, check.Tables: check.Warned}},
		{"REVOKE SELECT ON pg_replication_slots FROM PUBLIC", map[string]check.Status{
			check.ReplicationSlot: check.Warned, check.PublicationOrder: check.Warned,
		}},
		{"REVOKE SELECT ON pg_settings FROM PUBLIC", map[string]check.Status{
			check.WALLevel: check.Warned, check.WALSenders: check.Warned, check.ReplicationSlot: check.Warned,
		}},
	} {
		t.Run(c.revoke, func(t *testing.T) {
			t.Parallel()
			s := newSource(t, shared)
			s.exec(c.revoke)
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
			for _, c := range report {
				if c.Status == check.Warned && (c.Code != check.NotChecked || !strings.Contains(c.Message, "42501")) {
					t.Errorf("%s: %s: %s", c.Name, c.Code, c.Message)
				}
			}
			if t.Failed() {
				t.Log(describe(report))
			}
		})
	}
}
