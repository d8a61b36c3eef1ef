package probe_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

// onPrimary returns a source on the primary of p that lacks its publication and its slot.
func onPrimary(t *testing.T, p pair) *source {
	t.Helper()
	return bare(newSource(t, p.primary))
}

// TestMake_Failover makes slots on servers with and without standbys that synchronize
// them.
func TestMake_Failover(t *testing.T) {
	t.Parallel()
	failover := func(s *source) string {
		return s.exec("SELECT failover FROM pg_replication_slots WHERE slot_name = " + s.slot())
	}
	t.Run("no standby", func(t *testing.T) {
		t.Parallel()
		p, err := newPair(decodingMajor(minSyncMajor), nil) // other tests make failover slots
		if err != nil {
			t.Fatal(err)
		}
		s := onPrimary(t, p)
		s.mustMake()
		if got := failover(s); got != "f" {
			t.Errorf("failover is %s", got)
		}
	})
	t.Run("a standby that synchronizes slots", func(t *testing.T) {
		t.Parallel()
		p, err := newPair(decodingMajor(minSyncMajor), map[string]string{"sync_replication_slots": "on", "hot_standby_feedback": "on"})
		if err != nil {
			t.Fatal(err)
		}
		s := onPrimary(t, p)
		s.waitUntil("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE '%slotsync worker')")
		s.mustMake()
		if got := failover(s); got != "t" {
			t.Errorf("failover is %s", got)
		}
		s.wantConsumed()
	})
	t.Run("synchronized_standby_slots", func(t *testing.T) {
		t.Parallel()
		p, err := newPair(decodingMajor(minSyncMajor), nil)
		if err != nil {
			t.Fatal(err)
		}
		s := onPrimary(t, p)
		s.admin("ALTER SYSTEM SET synchronized_standby_slots = 'for_standby'")
		s.admin("SELECT pg_reload_conf()")
		s.waitUntil("SELECT current_setting('synchronized_standby_slots') <> ''")
		s.mustMake()
		if got := failover(s); got != "t" {
			t.Errorf("failover is %s", got)
		}
		s.wantConsumed()
	})
}

// TestMake_StandbyBlocked has a transaction of the primary that has written and does not
// end.
func TestMake_StandbyBlocked(t *testing.T) {
	t.Parallel()
	p, err := newPair(decodingMajor(minDecodingMajor), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := bare(newReplica(t, p))
	writer := openSession(t, p.primary, "postgres", nil)
	mustDo(t, writer, "BEGIN; CREATE TABLE never_committed (id int)")
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
	defer cancel()
	started := time.Now()
	made, report := prober(t).Make(ctx, s.target, database.Making{Publication: true, Slot: true})
	took := time.Since(started)
	t.Logf("%s: %v%s", took, made, describe(report))
	found, ok := entry(report, check.SlotCreateBlocked)
	if !ok || took > 9*time.Second || !strings.Contains(found.Message, fmt.Sprintf("PID %d", writer.PID())) {
		t.Errorf("after %s:%s", took, describe(report))
	}
	if rest := s.rest(); made != (database.Making{}) || rest != (database.Making{}) {
		t.Errorf("made %v, there is %v", made, rest)
	}
	mustDo(t, writer, "ROLLBACK")
	s.waitUntil("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'headgate')")
	if rest := s.rest(); rest != (database.Making{}) {
		t.Errorf("after the transaction has ended, there is %v", rest)
	}
	s.mustMake()
	s.wantConsumed()
}

// TestMake_StandbyRights has roles of the primary that may do less and less.
func TestMake_StandbyRights(t *testing.T) {
	t.Parallel()
	p, err := newPair(decodingMajor(minDecodingMajor), nil) // other tests log snapshots, which this slot waits for
	if err != nil {
		t.Fatal(err)
	}
	s := bare(newReplica(t, p))
	const other = `"pub'lisher"`
	s.admin("CREATE ROLE " + other + " LOGIN PASSWORD " + literal(password))
	t.Cleanup(func() { _, _ = p.primary.Exec(context.Background(), "postgres", "DROP ROLE IF EXISTS "+other) })
	s.exec("ALTER TABLE t OWNER TO " + other)
	s.exec("GRANT CREATE ON DATABASE " + s.database() + " TO " + other)
	s.exec("GRANT SELECT ON t TO " + s.role())
	s.waitForReplay()
	s.target.Primary.Username = "pub'lisher"
	x := s.examine()
	if failure, failed := x.Report.FirstFailure(); failed {
		t.Fatalf("%s:%s", failure.Code, describe(x.Report))
	}
	briefly := func() (database.Making, check.Report) {
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
		defer cancel()
		return prober(t).Make(ctx, s.target, x.Missing)
	}
	made, report := briefly()
	if made.Slot { // the primary has just logged one, as it does at most every 15 seconds
		s.drop(x.Source, made)
		made, report = briefly()
	}
	found, ok := entry(report, check.SlotCreateBlocked)
	if !ok || made != (database.Making{}) || s.rest() != (database.Making{}) {
		t.Fatalf("made %v, there is %v:%s", made, s.rest(), describe(report))
	}
	s.apply(found.Fix)
	if made := s.mustMake(); made != (database.Making{Publication: true, Slot: true}) {
		t.Errorf("made %v", made)
	}
	if owner := s.exec("SELECT pg_get_userbyid(pubowner) FROM pg_publication"); owner != "pub'lisher" {
		t.Errorf("the publication belongs to %s", owner)
	}
	s.wantConsumed()
}
