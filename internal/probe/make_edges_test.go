package probe_test

import (
	"context"
	"net"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/link"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

// TestMake_PublicationAfterSlot has a slot from before, and a publication that is missing.
func TestMake_PublicationAfterSlot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change        func(s *source)
		refused, much bool
	}{
		"the slot has nothing to read":          {func(*source) {}, false, false},
		"the slot has changes to read":          {func(s *source) { s.exec("INSERT INTO t VALUES (1)") }, true, false},
		"the slot has changes of another table": {func(s *source) { s.exec("CREATE TABLE u AS SELECT 1 AS id") }, true, false},
		"the slot is in use":                    {func(s *source) { startStreaming(s, " (proto_version '1', publication_names 'another')") }, true, false},
		"the slot retains much":                 {func(s *source) { s.exec("CREATE TABLE u AS SELECT repeat('x', 1000) FROM generate_series(1, 60000)") }, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := shared
			if c.much { // what it writes would be retained by the slots of other tests, too
				server = pgtest.Start(t, pgserver.Options{})
			}
			s := bare(newSource(t, server))
			s.exec(s.createSlot())
			c.change(s)
			x := s.examine()
			found, refused := entry(x.Report, check.PublicationAfterSlot)
			if refused != c.refused || x.Missing != (database.Making{Publication: true}) {
				t.Fatalf("missing %v:%s", x.Missing, describe(x.Report))
			}
			if s.rest() != (database.Making{Slot: true}) {
				t.Fatalf("there is %v", s.rest())
			}
			if found.Fix != "" {
				s.apply(found.Fix)
			}
			if refused && found.Fix == "" {
				return
			}
			s.mustMake()
			if x := s.examine(); len(x.Report.Codes()) > 0 {
				t.Error(describe(x.Report))
			}
			s.wantConsumed()
		})
	}
}

// TestProbe_Misnamed names what can't be published.
func TestProbe_Misnamed(t *testing.T) {
	t.Parallel()
	s := bare(newSource(t, shared))
	s.exec("CREATE VIEW v AS SELECT 1; CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY); CREATE SEQUENCE sequence")
	s.exec("CREATE TABLE elder (id int PRIMARY KEY); CREATE TABLE child (PRIMARY KEY (id)) INHERITS (elder); CREATE UNLOGGED TABLE grandchild () INHERITS (child)")
	table := func(schema, name string) database.TableName { return database.TableName{Schema: schema, Name: name} }
	s.target.Creation.Publication.Tables = []database.TableName{
		table("public", "t"), table("public", "absent"), table("absent", "t"), table("public", "v"), table("public", "unlogged"),
		table("pg_catalog", "pg_class"), table("public", "sequence"), table("public", "T"), table("public", "t_pkey"),
		table("public", "elder"), table("public", "child"),
	}
	x := s.examine()
	want := map[string]string{"[1]": "does not exist", "[2]": "does not exist", "[3]": "not a table", "[4]": "unlogged", "[5]": "server itself", "[6]": "not a table", "[7]": "does not exist", "[8]": "not a table", "[9]": "child", "[10]": "child"}
	for index, says := range want {
		if got := x.Fields["replication_slots[0].publication.tables"+index]; len(got) != 1 || !strings.Contains(got[0], says) {
			t.Errorf("%s: %q, want %q", index, got, says)
		}
	}
	if _, ok := entry(x.Report, check.PublicationNotFound); !ok || len(x.Fields) != len(want) {
		t.Errorf("fields %v:%s", x.Fields, describe(x.Report))
	}
	s.target.Creation.Publication.Tables, s.target.Creation.Publication.Schemas = nil, []string{"public", "absent", "pg_catalog"}
	wantFields := apierror.FieldErrors{}
	wantFields.Add("replication_slots[0].publication.schemas[1]", "does not exist in this database")
	wantFields.Add("replication_slots[0].publication.schemas[2]", "is a schema of the server itself, which can't be published")
	const schemasMajor = 15
	if major() < schemasMajor {
		wantFields = apierror.FieldErrors{}
		for i := range s.target.Creation.Publication.Schemas {
			wantFields.Add("replication_slots[0].publication.schemas["+strconv.Itoa(i)+"]", "needs PostgreSQL 15 or later: name the tables")
		}
	}
	if x := s.examine(); !reflect.DeepEqual(x.Fields, wantFields) {
		t.Errorf("fields %v, want %v", x.Fields, wantFields)
	}
}

// TestMake_AwkwardNames has names that break SQL that does not quote them correctly.
func TestMake_AwkwardNames(t *testing.T) {
	t.Parallel()
	s := bare(newSource(t, shared))
	s.exec("ALTER ROLE " + s.role() + " SET standard_conforming_strings = off")
	const state = `SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM t)`
	for i, name := range awkward() {
		s.exec("CREATE SCHEMA " + identifier(name))
		s.exec("CREATE TABLE " + identifier(name) + "." + identifier(name) + " (id int PRIMARY KEY)")
		s.exec("ALTER TABLE " + identifier(name) + "." + identifier(name) + " OWNER TO " + s.role())
		s.exec("GRANT USAGE ON SCHEMA " + identifier(name) + " TO " + s.role())
		s.target.Slot.PublicationName = name
		s.target.Creation = database.Creation{Publication: &database.NewPublication{Tables: []database.TableName{{Schema: name, Name: name}}}}
		before := s.exec(state)
		x := s.examine()
		if e := entryOf(x.Report, check.Publication); e.Status != check.Passed || len(x.Fields) > 0 {
			t.Errorf("%q: %+v", name, e)
		}
		if made, report := prober(t).Make(t.Context(), s.target, x.Missing); !made.Publication {
			t.Errorf("%q:%s", name, describe(report))
		}
		if got := s.exec("SELECT count(*) FROM pg_publication_tables WHERE pubname = " + quoted(name) + " AND schemaname = " + quoted(name) + " AND tablename = " + quoted(name)); got != "1" {
			t.Errorf("%q: %s tables", name, got)
		}
		if dropped, report := prober(t).Drop(t.Context(), s.target, database.Source{}, database.Making{Publication: true}); !dropped.Publication {
			t.Errorf("%q:%s", name, describe(report))
		}
		if after := s.exec(state); before != after {
			t.Fatalf("%d, %q: the database changed from %s to %s", i, name, before, after)
		}
	}
}

// quoted returns a name as a literal, whatever standard_conforming_strings is.
func quoted(name string) string {
	return "E" + strings.ReplaceAll(literal(name), `\`, `\\`)
}

// TestMake_Halves has a role that may make the publication and not the slot.
func TestMake_Halves(t *testing.T) {
	t.Parallel()
	s := bare(newSource(t, shared))
	x := s.examine()
	s.exec(revokeSlots)
	made, report := prober(t).Make(t.Context(), s.target, x.Missing)
	if _, ok := entry(report, check.SlotCreateDenied); !ok || made != (database.Making{}) || s.rest() != (database.Making{}) {
		t.Errorf("made %v, there is %v:%s", made, s.rest(), describe(report))
	}
}

// TestMake_Found finds a publication and a slot that somebody has made since, and leaves
// them as they are, also if the other one can't be made.
func TestMake_Found(t *testing.T) {
	t.Parallel()
	s := bare(newSource(t, shared))
	x := s.examine()
	s.exec("CREATE TABLE other (id int PRIMARY KEY)")
	s.exec(s.sql("CREATE PUBLICATION %[1]s FOR TABLE other"))
	s.admin("ALTER ROLE " + s.role() + " NOREPLICATION")
	made, report := prober(t).Make(t.Context(), s.target, x.Missing)
	if len(report) == 0 || made != (database.Making{}) || s.rest() != (database.Making{Publication: true}) {
		t.Errorf("made %v, there is %v:%s", made, s.rest(), describe(report))
	}
	s.admin("ALTER ROLE " + s.role() + " REPLICATION")
	s.exec(s.createSlot())
	made, report = prober(t).Make(t.Context(), s.target, x.Missing)
	if len(report) > 0 || made != (database.Making{}) || s.rest() != (database.Making{Publication: true, Slot: true}) {
		t.Errorf("made %v, there is %v:%s", made, s.rest(), describe(report))
	}
	if got := s.exec(s.sql("SELECT tablename FROM pg_publication_tables WHERE pubname = " + literal(s.target.Slot.PublicationName))); got != "other" {
		t.Errorf("the publication has %s now", got)
	}
}

// blocked returns a source on a server of its own on which no slot can be made for now.
func blocked(t *testing.T) *source {
	s := bare(newSource(t, pgtest.Start(t, pgserver.Options{})))
	writer := openSession(t, s.server, "postgres", nil)
	mustDo(t, writer, "BEGIN; CREATE TABLE in_another_database (id int)")
	s.release = func() { mustDo(t, writer, "ROLLBACK") }
	return s
}

// TestMake_Cancelled ends the request while the slot is made.
func TestMake_Cancelled(t *testing.T) {
	t.Parallel()
	s := blocked(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		s.waitUntil("SELECT EXISTS (SELECT FROM pg_replication_slots)")
		cancel()
	}()
	started := time.Now()
	made, report := prober(t).Make(ctx, s.target, database.Making{Publication: true, Slot: true})
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if len(report) == 0 || made != (database.Making{}) || s.rest() != (database.Making{}) {
		t.Errorf("made %v, there is %v:%s", made, s.rest(), describe(report))
	}
	s.release()
	s.waitUntil("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'headgate')")
	if s.rest() != (database.Making{}) {
		t.Errorf("after the transaction has ended, there is %v", s.rest())
	}
}

// TestMake_ConnectionLost cuts the connection while the slot is made. What is left then
// is known, or there is nothing.
func TestMake_ConnectionLost(t *testing.T) {
	t.Parallel()
	s := blocked(t)
	port := s.server.Port()
	far, err := link.Open(net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	s.target.Endpoint.Port = far.Port()
	go func() {
		s.waitUntil("SELECT EXISTS (SELECT FROM pg_replication_slots)")
		far.Close()
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	made, report := prober(t).Make(ctx, s.target, database.Making{Publication: true, Slot: true})
	if made != (database.Making{Publication: true, Slot: true}) || len(report) == 0 {
		t.Errorf("made %v:%s", made, describe(report))
	}
	// The server's own limit ends the creation of the slot.
	s.waitUntil("SELECT NOT EXISTS (SELECT FROM pg_replication_slots)")
	s.release()
	s.target.Endpoint.Port = port
	if dropped, report := prober(t).Drop(t.Context(), s.target, database.Source{}, made); dropped != (database.Making{Publication: true}) || s.rest() != (database.Making{}) {
		t.Errorf("dropped %v, there is %v:%s", dropped, s.rest(), describe(report))
	}
}

// TestProbe_CreationRoundTrips asks for what a creation needs in the same flight.
func TestProbe_CreationRoundTrips(t *testing.T) {
	t.Parallel()
	s := bare(newSource(t, pgtest.Start(t, pgserver.Options{})))
	want := 6
	if *noPipelining {
		want++
	}
	if got := s.roundTrips(t); got > want {
		t.Errorf("%d round trips, want %d", got, want)
	}
}
