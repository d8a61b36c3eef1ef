package probe_test

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe"
	"github.com/headgate/headgate/internal/probe/quote"
	"github.com/headgate/headgate/internal/testkit/link"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

var _ database.HealthProber = (*probe.Prober)(nil)

// health returns the report and the slot's state for the source.
func (s *source) health(l database.HealthLimits) (check.Report, database.SlotState) {
	s.t.Helper()
	report, slot, err := prober(s.t).CheckHealth(s.t.Context(), s.target, l)
	if err != nil {
		s.t.Fatal(err)
	}
	wantDisplayable(s.t, report)
	return report, slot
}

func TestCheckHealth_Healthy(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	report, slot := s.health(database.DefaultHealthLimits())
	for _, e := range report {
		want := check.Passed
		switch e.Name {
		case check.Pooler, check.ReplicationRole, check.PublicationOrder, check.Standby:
			want = check.Skipped
		}
		if e.Status != want {
			t.Errorf("%s is %s, want %s: %s", e.Name, e.Status, want, e.Message)
		}
	}
	confirmed := s.admin("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = " + s.slot())
	if slot.Active == nil || *slot.Active || slot.RetainedBytes == nil || slot.ConfirmedFlushLSN == nil || *slot.ConfirmedFlushLSN != confirmed {
		t.Errorf("slot %+v, want inactive with confirmed_flush_lsn %s", slot, confirmed)
	}
	if major() >= 13 && (slot.WALStatus == nil || *slot.WALStatus != "reserved") {
		t.Errorf("wal_status %v, want reserved", slot.WALStatus)
	}
	if (slot.InactiveSince != nil) != (major() >= 17) {
		t.Errorf("inactive_since %v on %d", slot.InactiveSince, major())
	}
}

func TestCheckHealth_Findings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sql  func(*source) string
		code check.Code
	}{
		"a slot that was dropped is missing":        {func(s *source) string { return s.dropSlotSQL() }, check.SlotNotFound},
		"a publication that was dropped is missing": {func(s *source) string { return "DROP PUBLICATION " + s.publication() }, check.PublicationNotFound},
		"a table that lost its key is named": {
			func(*source) string { return "ALTER TABLE t DROP CONSTRAINT t_pkey" }, check.ReplicaIdentityMissing,
		},
		"a login that was taken away is rejected": {
			func(s *source) string { return "ALTER ROLE " + s.role() + " NOLOGIN" }, check.ConnectionNotPermitted,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSource(t, shared)
			s.exec(c.sql(s))
			if report, _ := s.health(database.DefaultHealthLimits()); !slices.Contains(report.Codes(), c.code) {
				t.Errorf("codes %v, want %s", report.Codes(), c.code)
			}
		})
	}
}

// TestCheckHealth_HiddenCatalogs has what some servers hide from most roles.
func TestCheckHealth_HiddenCatalogs(t *testing.T) {
	t.Parallel()
	for _, hidden := range []string{"pg_roles", "pg_database"} {
		t.Run(hidden, func(t *testing.T) {
			t.Parallel()
			s := newSource(t, shared)
			s.exec("REVOKE SELECT ON " + hidden + " FROM PUBLIC")
			if report, _ := s.health(database.DefaultHealthLimits()); len(report.Codes()) > 0 {
				t.Errorf("found%s", describe(report))
			}
			s.exec("ALTER ROLE " + quote.Identifier(s.target.Endpoint.Username) + " NOREPLICATION")
			// A login that may not replicate has an ordinary session too.
			report := s.probe()
			if found, _ := entry(report, check.ReplicationNotPermitted); found.Fix == "" || slices.Contains(report.Codes(), check.NotChecked) {
				t.Errorf("without REPLICATION, found%s", describe(report))
			}
		})
	}
}

// TestCheckHealth_Session holds that a check is one ordinary connection of as many
// round trips as a login has: TCP, the request for TLS, and four more.
func TestCheckHealth_Session(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgserver.Options{
		HBA: []string{"local all all trust", "host all all 127.0.0.1/32 scram-sha-256"},
		// No check could have a walsender.
		Settings: map[string]string{"max_wal_senders": "0"},
	})
	s := newSource(t, server)
	s.exec("ALTER TABLE t DROP CONSTRAINT t_pkey") // a finding whose fix would take another statement
	const distance = 20 * time.Millisecond
	for _, ssl := range []bool{true, false} {
		far, err := link.Open(net.JoinHostPort("127.0.0.1", strconv.Itoa(server.Port())), distance)
		if err != nil {
			t.Fatal(err)
		}
		s.target.Endpoint.Port, s.target.Endpoint.SSL = far.Port(), ssl
		report, _ := s.health(database.DefaultHealthLimits())
		far.Close()
		if !slices.Contains(report.Codes(), check.ReplicaIdentityMissing) {
			t.Errorf("codes %v", report.Codes())
		}
		want := 4 // TCP and 3 of the login, whose last has the answers
		if ssl {
			want = 6 // and 1 of the request for TLS, 1 of TLS
		}
		if *noPipelining {
			want++ // the questions go after the login
		}
		if traffic := far.Traffic(); traffic.Connections != 1 || traffic.RoundTrips > want {
			t.Errorf("ssl %v: %d connections and %d round trips, want 1 and %d", ssl, traffic.Connections, traffic.RoundTrips, want)
		}
	}
}

// TestCheckHealth_Objects holds that a finding about some of the server's objects names
// them, by which those that are new are told.
func TestCheckHealth_Objects(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sql     string // with %p for the publication and %r for the role
		code    check.Code
		objects []string // of all findings with the code
		more    int
	}{
		"tables without keys": {
			"CREATE TABLE a (id int); CREATE TABLE b (id int); ALTER PUBLICATION %p ADD TABLE a, b",
			check.ReplicaIdentityMissing,
			[]string{`"public"."a"`, `"public"."b"`},
			0,
		},
		"more tables without keys than are listed": {
			"DO $$BEGIN FOR i IN 10..21 LOOP EXECUTE format('CREATE TABLE k%s (id int); ALTER PUBLICATION %I ADD TABLE k%s', i, %n, i); END LOOP; END$$",
			check.ReplicaIdentityMissing,
			[]string{
				`"public"."k10"`, `"public"."k11"`, `"public"."k12"`, `"public"."k13"`, `"public"."k14"`,
				`"public"."k15"`, `"public"."k16"`, `"public"."k17"`, `"public"."k18"`, `"public"."k19"`,
			},
			2,
		},
		"tables and schemas that are closed to the role": {
			"CREATE TABLE a (id int PRIMARY KEY); CREATE SCHEMA s; CREATE TABLE s.b (id int PRIMARY KEY); GRANT SELECT ON s.b TO %r; ALTER PUBLICATION %p ADD TABLE a, s.b",
			check.TablesUnreadable,
			[]string{`"s"`, `"public"."a"`},
			0,
		},
		"tables with row-level security": {
			"ALTER TABLE t ENABLE ROW LEVEL SECURITY", check.RowSecurityActive, []string{`"public"."t"`}, 0,
		},
		"operations that are not published": {
			"ALTER PUBLICATION %p SET (publish = 'insert, update')", check.PublicationOperationsMissing, []string{"delete", "truncate"}, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSource(t, shared)
			s.exec(strings.NewReplacer("%p", s.publication(), "%r", s.role(), "%n", literal(s.target.Slot.PublicationName)).Replace(c.sql))
			report, _ := s.health(database.DefaultHealthLimits())
			var objects []string
			more := 0
			for _, e := range report {
				if e.Code == c.code {
					objects, more = append(objects, strings.Split(e.Objects, "\n")...), more+e.More
				}
			}
			if !slices.Equal(objects, c.objects) || more != c.more {
				t.Errorf("%d more than %q, want %d and %q: %+v", more, objects, c.more, c.objects, report)
			}
		})
	}
}
