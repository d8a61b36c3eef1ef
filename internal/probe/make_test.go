package probe_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/consumer"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

// bare takes the publication and the slot away from a source, lets its role make both,
// and asks for both.
func bare(s *source) *source {
	s.t.Helper()
	s.exec(s.sql("DROP PUBLICATION %[1]s"))
	s.exec("ALTER TABLE t OWNER TO " + s.role())
	s.exec("GRANT CREATE ON DATABASE " + s.database() + " TO " + s.role())
	if s.primary != nil {
		s.waitForReplay()
	}
	s.dropSlot()
	s.target.Creation = database.Creation{Slot: true, Publication: &database.NewPublication{Tables: []database.TableName{{Schema: "public", Name: "t"}}, ViaRoot: true}}
	return s
}

// examine returns the whole of what the probe finds.
func (s *source) examine() database.Examination {
	s.t.Helper()
	x := prober(s.t).Probe(s.t.Context(), s.target)
	wantDisplayable(s.t, x.Report)
	return x
}

// mustMake makes what a create would, which must succeed.
func (s *source) mustMake() database.Making {
	s.t.Helper()
	x := s.examine()
	if failure, failed := x.Report.FirstFailure(); failed {
		s.t.Fatalf("%s:%s", failure.Code, describe(x.Report))
	}
	made, report := prober(s.t).Make(s.t.Context(), s.target, x.Missing)
	if len(report) > 0 {
		s.t.Fatal(describe(report))
	}
	return made
}

// rest returns which of the slot and the publication exist.
func (s *source) rest() database.Making {
	s.t.Helper()
	slots, err := s.server.Exec(s.t.Context(), "postgres", "SELECT count(*) FROM pg_replication_slots WHERE slot_name = "+s.slot())
	if err != nil {
		s.t.Fatal(err)
	}
	publications := s.exec("SELECT count(*) FROM pg_publication WHERE pubname = " + literal(s.target.Slot.PublicationName))
	return database.Making{Publication: publications == "1", Slot: slots == "1"}
}

// wantConsumed fails the test unless a consumer reads an INSERT of one row by the source's
// slot.
func (s *source) wantConsumed() {
	s.t.Helper()
	e := s.target.Endpoint
	err := consumer.Inserts(s.t.Context(), consumer.Source{
		Host: e.Hostname, Port: e.Port, Database: e.Database, Username: e.Username, Password: password,
		Slot: s.target.Slot.SlotName, Publications: s.publication(),
	}, 1, func() error {
		s.exec("INSERT INTO t SELECT COALESCE(max(id), 0) + 1 FROM t")
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestMake(t *testing.T) {
	t.Parallel()
	for name, setup := range map[string]func(t *testing.T) *source{
		"on a primary": func(t *testing.T) *source { return bare(newSource(t, shared)) },
		"on a standby": func(t *testing.T) *source { return bare(newReplica(t, pairOf(t, decodingMajor(minDecodingMajor)))) },
		"with operators of others in the search path": func(t *testing.T) *source {
			s := bare(newSource(t, shared))
			s.shadowOperators()
			return s
		},
		"with a synchronous standby that is away": withoutSyncStandby,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			both := database.Making{Publication: true, Slot: true}
			x := s.examine()
			if x.Missing != both || len(x.Report.Codes()) > 0 || len(x.Fields) > 0 || x.Source.SystemIdentifier == "" {
				t.Fatalf("missing %v, fields %v, source %v:%s", x.Missing, x.Fields, x.Source, describe(x.Report))
			}
			for _, check := range []string{check.Publication, check.ReplicationSlot} {
				if e := entryOf(x.Report, check); e.Status != "passed" || !strings.Contains(e.Message, "would be made") {
					t.Errorf("%+v", e)
				}
			}
			if rest := s.rest(); rest != (database.Making{}) {
				t.Errorf("the probe has made %v", rest)
			}
			if made := s.mustMake(); made != both || s.rest() != both {
				t.Errorf("made %v, there is %v", made, s.rest())
			}
			if x := s.examine(); len(x.Report.Codes()) > 0 || x.Missing != (database.Making{}) {
				t.Errorf("after that, missing %v:%s", x.Missing, describe(x.Report))
			}
			s.wantConsumed()
			if dropped, report := s.drop(x.Source, both); dropped != both || len(report) > 0 || s.rest() != (database.Making{}) {
				t.Errorf("dropped %v, there is %v:%s", dropped, s.rest(), describe(report))
			}
			if dropped, report := s.drop(x.Source, both); dropped != (database.Making{}) || len(report) > 0 {
				t.Errorf("again: dropped %v:%s", dropped, describe(report))
			}
		})
	}
}

// shadowOperators gives the source's role a search path on which operators raise errors.
func (s *source) shadowOperators() {
	s.t.Helper()
	s.exec("CREATE SCHEMA first; GRANT USAGE ON SCHEMA first TO PUBLIC")
	for i, operator := range []string{"=", "<>", "~~"} {
		for _, kinds := range [][2]string{{"text", "text"}, {"name", "name"}, {"name", "text"}} {
			s.exec(fmt.Sprintf("CREATE FUNCTION first.f%d(%s, %s) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RAISE ''it ran''; END'", i, kinds[0], kinds[1]))
			s.exec(fmt.Sprintf("CREATE OPERATOR first.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = first.f%d)", operator, kinds[0], kinds[1], i))
		}
	}
	s.admin("ALTER ROLE " + s.role() + " SET search_path = first, pg_catalog")
}

// withoutSyncStandby is a source on a server where commits wait for a standby that is
// away, but not those of the superuser.
func withoutSyncStandby(t *testing.T) *source {
	s := bare(newSource(t, pgtest.Start(t, pgserver.Options{})))
	s.admin("ALTER ROLE postgres SET synchronous_commit = local")
	s.setSetting("synchronous_standby_names", "away")
	return s
}

// drop drops what m selects once the consumer has ended its session.
func (s *source) drop(source database.Source, m database.Making) (database.Making, check.Report) {
	s.t.Helper()
	s.waitUntil("SELECT NOT EXISTS (SELECT FROM pg_replication_slots WHERE active AND slot_name = " + s.slot() + ")")
	dropped, report := prober(s.t).Drop(s.t.Context(), s.target, source, m)
	wantDisplayable(s.t, report)
	return dropped, report
}

// waitUntil waits until a query on the target's own server returns true.
func (s *source) waitUntil(sql string) {
	s.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		out, err := s.server.Exec(s.t.Context(), "postgres", sql)
		if err != nil || time.Now().After(deadline) {
			s.t.Fatalf("%s: %s, %v", sql, out, err)
		}
		if out == "t" {
			return
		}
	}
}

// entryOf returns the report's first entry of a check.
func entryOf(r check.Report, name string) check.Entry {
	for _, e := range r {
		if e.Name == name {
			return e
		}
	}
	return check.Entry{}
}

// TestMake_OpenTransaction has transactions that have written and do not end.
func TestMake_OpenTransaction(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgserver.Options{Settings: map[string]string{"max_prepared_transactions": "5"}})
	s := bare(newSource(t, server))
	writer := openSession(t, server, s.target.Endpoint.Database, nil)
	mustDo(t, writer, "BEGIN; CREATE TABLE secret_of_the_writer (id int)")
	reader := openSession(t, server, s.target.Endpoint.Database, nil)
	mustDo(t, reader, "BEGIN; SELECT 1")
	mustDo(t, openSession(t, server, s.target.Endpoint.Database, nil), `BEGIN; CREATE TABLE prepared (id int); PREPARE TRANSACTION 'the "prepared" one'`)
	pid, readerPID := fmt.Sprintf("PID %d", writer.PID()), fmt.Sprintf("PID %d", reader.PID())
	predicted := s.examine()
	if says := entryOf(predicted.Report, check.ReplicationSlot).Message; !predicted.Missing.Slot || len(predicted.Report.Codes()) > 0 ||
		!strings.Contains(says, pid) || !strings.Contains(says, "prepared transaction") || !strings.Contains(says, "replication_slot_create_blocked") ||
		strings.Contains(says, readerPID) || strings.Contains(says, "secret_of_the_writer") {
		t.Errorf("before it is made, missing %v: %s%s", predicted.Missing, says, describe(predicted.Report))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	started := time.Now()
	made, report := prober(t).Make(ctx, s.target, database.Making{Publication: true, Slot: true})
	if took := time.Since(started); took > 8*time.Second {
		t.Errorf("it took %s", took)
	}
	if made != (database.Making{}) || s.rest() != (database.Making{}) {
		t.Errorf("made %v, there is %v", made, s.rest())
	}
	found, ok := entry(report, check.SlotCreateBlocked)
	if !ok || !strings.Contains(found.Message, pid) || !strings.Contains(found.Message, `"postgres"`) || !strings.Contains(found.Message, `prepared transaction`) ||
		!strings.Contains(found.Fix, pid) || strings.Contains(found.Message, readerPID) || strings.Contains(found.Message, "secret_of_the_writer") {
		t.Errorf("%s", describe(report))
	}
	t.Log(describe(report))
	mustDo(t, writer, "COMMIT")
	s.exec(`ROLLBACK PREPARED 'the "prepared" one'`)
	s.waitUntil("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'headgate')")
	if s.rest() != (database.Making{}) {
		t.Errorf("after the transactions have ended, there is %v", s.rest())
	}
	s.mustMake()
	s.wantConsumed()
}

// TestMake_Race has requests for one slot and one publication.
func TestMake_Race(t *testing.T) {
	t.Parallel()
	s := bare(newSource(t, shared))
	const racers = 8
	made, reports := make([]database.Making, racers), make([]check.Report, racers)
	var group sync.WaitGroup
	for i := range racers {
		group.Go(func() {
			made[i], reports[i] = prober(t).Make(t.Context(), s.target, database.Making{Publication: true, Slot: true})
		})
	}
	group.Wait()
	slots, publications := 0, 0
	for i := range racers {
		if len(reports[i]) > 0 {
			t.Errorf("racer %d:%s", i, describe(reports[i]))
		}
		if made[i].Slot {
			slots++
		}
		if made[i].Publication {
			publications++
		}
	}
	if slots != 1 || publications != 1 {
		t.Errorf("%d have made the slot, and %d the publication", slots, publications)
	}
	if x := s.examine(); len(x.Report.Codes()) > 0 {
		t.Error(describe(x.Report))
	}
}
