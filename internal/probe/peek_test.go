package probe_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/probe/ask"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/judge"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

// altered puts the order of the publication and the slot in doubt: as much WAL could
// create a publication.
const altered = "ALTER PUBLICATION %[1]s SET (publish = 'insert, update, delete, truncate'); SELECT pg_logical_emit_message(true, '', repeat('x', 500))"

// spilled counts the files that decoding left for the slot.
const spilled = "SELECT count(*) FROM pg_ls_dir('pg_replslot/' || %[3]s) f WHERE f LIKE '%.spill'"

func TestProbe_MuchRetained(t *testing.T) {
	t.Parallel()
	s := newSource(t, pgtest.Start(t, pgserver.Options{}))
	s.exec("CREATE TABLE filler AS SELECT i, repeat('x', 500) FROM generate_series(1, 80000) i")
	s.exec(s.sql(altered))
	begin := time.Now()
	report := s.probe()
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	if c, ok := entry(report, check.PublicationAfterSlotSuspected); !ok || !strings.Contains(c.Message, "more than 32 MB") {
		t.Error(describe(report))
	}
	if n := s.exec(s.sql(spilled)); n != "0" {
		t.Errorf("%s files are left", n)
	}
}

// TestProbe_CancelledPeek has a peek that is cancelled after it has written files.
func TestProbe_CancelledPeek(t *testing.T) {
	t.Parallel()
	s := newSource(t, pgtest.Start(t, pgserver.Options{}))
	if major() >= 13 {
		s.admin("ALTER ROLE " + s.role() + " SET logical_decoding_work_mem = '64kB'")
	}
	s.exec("CREATE TABLE small (id int); ALTER PUBLICATION " + s.publication() + " ADD TABLE small; GRANT SELECT ON small TO " + s.role())
	s.exec("ALTER TABLE small REPLICA IDENTITY FULL")
	s.exec("INSERT INTO small SELECT generate_series(1, 300000)")
	s.exec(s.sql(altered))
	if retained := s.exec("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) < 32 * 1024 * 1024 FROM pg_replication_slots WHERE slot_name = " + s.slot()); retained != "t" {
		t.Fatal("the slot retains too much for a peek")
	}
	s.limit = 1300 * time.Millisecond
	report := s.probe()
	if c, ok := entry(report, check.PublicationAfterSlotSuspected); !ok || !strings.Contains(c.Message, "takes too long") {
		t.Error(describe(report))
	}
	if n := s.exec(s.sql(spilled)); n != "0" {
		t.Errorf("%s files are left", n)
	}
}

// TestProbe_PeekOfOtherEncoding has pending changes that a consumer with the encoding
// UTF8 can't receive, and one with the server's can.
func TestProbe_PeekOfOtherEncoding(t *testing.T) {
	t.Parallel()
	s := newTargetSource(t, shared.Port())
	s.server, s.limit = shared, 0
	s.admin("CREATE DATABASE " + s.database() + " ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
	s.admin("CREATE ROLE " + s.role() + " LOGIN REPLICATION PASSWORD " + literal(password))
	s.exec("CREATE TABLE t (id int PRIMARY KEY, v text)")
	s.exec("GRANT SELECT ON t TO " + s.role())
	s.exec("CREATE PUBLICATION " + s.publication() + " FOR TABLE t")
	s.exec(s.createSlot())
	t.Cleanup(s.dropSlot)
	s.exec(`INSERT INTO t VALUES (1, E'\xe9')`)
	s.exec(s.sql(altered))
	report := s.probe()
	if c, ok := entry(report, check.PublicationAfterSlotSuspected); !ok || !strings.Contains(c.Message, "22021") {
		t.Error(describe(report))
	}
}

// TestPostgres_TwoPhaseSlot checks what the finding says about consumers.
func TestPostgres_TwoPhaseSlot(t *testing.T) {
	t.Parallel()
	if major() < 15 {
		return // pgoutput of 14 ignores the slot's mark
	}
	s := twoPhaseSlot("5")(t)
	s.exec("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'p'")
	kinds := s.exec(s.sql(`SELECT string_agg(chr(get_byte(data, 0)), '') FROM pg_logical_slot_peek_binary_changes(%[3]s, NULL, NULL,
'proto_version', '1', 'publication_names', `) + literal(s.publication()) + ")")
	s.exec("ROLLBACK PREPARED 'p'")
	if kinds != "bRIP" {
		t.Errorf("the messages are %q, want the row of a transaction that may be rolled back yet", kinds)
	}
	for _, kind := range "bP" {
		if m, err := pglogrepl.Parse([]byte{byte(kind), 0}); err == nil {
			t.Errorf("a consumer reads %q as %T", kind, m)
		}
	}
}

// TestReport_NoticesOfAPeek has the warnings of a peek that completed. Those about a
// standby that went away meanwhile have the SQLSTATE of the one about a publication
// that was missing, and another routine.
func TestReport_NoticesOfAPeek(t *testing.T) {
	t.Parallel()
	for routine, late := range map[string]bool{"LoadPublications": true, "StandbySlotsHaveCaughtup": false} {
		e := facts.Evidence{Reached: facts.LoggedIn, Peek: facts.Peek{
			Outcome: facts.PeekCompleted, Notices: []facts.ServerMessage{{Severity: "WARNING", SQLSTATE: "55000", Routine: routine}},
		}}
		answer := `{"server":{"version":180001,"backend_type":"walsender","database":"app"},"publication":{"found":{"age":1}},
"slot":{"found":{"slot_type":"logical","plugin":"pgoutput","database":"app","restart_lsn":"0/1","confirmed_flush_lsn":"0/1","age":5}}}`
		if err := ask.Decode(&e.Facts, []byte(answer), []facts.Part{facts.PartServer, facts.PartPublication, facts.PartSlot}); err != nil {
			t.Fatal(err)
		}
		report := judge.Report(newTarget(1, 5432), e, nil)
		if _, got := entry(report, check.PublicationAfterSlot); got != late {
			t.Errorf("%s: publication_after_slot is %v, want %v:%s", routine, got, late, describe(report))
		}
	}
}
