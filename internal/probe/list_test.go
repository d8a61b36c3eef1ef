package probe_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

func TestRefreshTables(t *testing.T) {
	t.Parallel()
	s := afterSQL(`CREATE SCHEMA "clo;sed"; CREATE TABLE "clo;sed".x (id int); GRANT SELECT ON "clo;sed".x TO %[2]s;
CREATE TABLE whole (id int); ALTER TABLE whole REPLICA IDENTITY FULL; CREATE TABLE bare (id int); ALTER TABLE bare REPLICA IDENTITY NOTHING;
CREATE TABLE indexed (id int NOT NULL); CREATE UNIQUE INDEX i ON indexed (id); ALTER TABLE indexed REPLICA IDENTITY USING INDEX i;
ALTER PUBLICATION %[1]s ADD TABLE "clo;sed".x, whole, bare, indexed`)(t)
	tables, report := prober(t).RefreshTables(t.Context(), s.target)
	if failure, failed := report.FirstFailure(); failed {
		t.Fatalf("%s: %s", failure.Code, failure.Message)
	}
	want := []database.Table{
		{Schema: "clo;sed", Name: "x", ReplicaIdentity: "default"},
		{Schema: "public", Name: "bare", ReplicaIdentity: "nothing"},
		{Schema: "public", Name: "indexed", ReplicaIdentity: "index"},
		{Schema: "public", Name: "t", ReplicaIdentity: "default", Readable: true},
		{Schema: "public", Name: "whole", ReplicaIdentity: "full"},
	}
	if fmt.Sprint(tables.Tables) != fmt.Sprint(want) || tables.Truncated {
		t.Errorf("got %+v, want %+v", tables, want)
	}
}

func TestRefreshTables_AwkwardPublication(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	for i, name := range awkward() {
		if i%3 != 1 {
			continue
		}
		s.target.Slot.PublicationName = name
		s.exec("CREATE PUBLICATION " + identifier(name) + " FOR TABLE t")
		if tables, report := prober(t).RefreshTables(t.Context(), s.target); len(tables.Tables) != 1 {
			t.Errorf("%q: %d tables are listed:%s", name, len(tables.Tables), describe(report))
		}
		s.exec("DROP PUBLICATION " + identifier(name))
	}
}

func TestRefreshTables_WithoutReplication(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	s.admin("ALTER ROLE " + s.role() + " NOREPLICATION")
	if tables, report := prober(t).RefreshTables(t.Context(), s.target); len(tables.Tables) != 1 {
		t.Error(describe(report))
	}
}

func TestRefreshTables_Failures(t *testing.T) {
	t.Parallel()
	for code, change := range map[check.Code]func(*source){
		check.PublicationNotFound:  func(s *source) { s.target.Slot.PublicationName = "absent" },
		check.AuthenticationFailed: func(s *source) { s.target.Passwords.Main = "wrong" },
		check.ConnectionRefused:    func(s *source) { s.target.Endpoint.Port = closedPort(s.t) },
		check.AddressNotAllowed:    func(s *source) { s.target.Endpoint.Hostname = "169.254.169.254" },
		check.NotChecked:           func(s *source) { s.exec("REVOKE SELECT ON pg_inherits FROM PUBLIC") },
	} {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			tables, report := prober(t).RefreshTables(t.Context(), sourceWith(change)(t).target)
			if c, _ := report.FirstFailure(); c.Code != code || len(tables.Tables) > 0 {
				t.Errorf("got %d tables and %s", len(tables.Tables), describe(report))
			}
		})
	}
}

func TestRefreshTables_Limits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rows      int
		name, cut string
		truncated bool
	}{
		{20_000, "short", "f", false},
		{20_000, strings.Repeat("n", 63), "f", false},
		{20_000, strings.Repeat("\x01", 63), "f", false},
		{70_000, "s", "f", false},
		{70_000, "s", "t", true},
	} {
		tables, report := tablesFrom(t, c.rows, []string{"public", c.name, "default", "t", c.cut})
		if tables.Truncated != c.truncated || len(tables.Tables) != c.rows {
			t.Errorf("of %d tables %d are listed, truncated %v%s", c.rows, len(tables.Tables), tables.Truncated, describe(report))
		}
	}
}

func TestRefreshTables_MalformedList(t *testing.T) {
	t.Parallel()
	for _, row := range [][]string{{"public"}, {"public", "t", strings.Repeat("x", 1000), "t", "f"}} {
		if tables, report := tablesFrom(t, 10, row); len(tables.Tables) > 0 {
			t.Errorf("%d tables are listed", len(tables.Tables))
		} else if _, ok := entry(report, check.NotChecked); !ok {
			t.Error(describe(report))
		}
	}
	if tables, report := tablesFrom(t, 1_000_000, []string{"public", "t", "full", "t", "f"}); len(tables.Tables) > 0 {
		t.Error("a flood is listed")
	} else if c, ok := entry(report, check.NotChecked); !ok || c.Name != check.Tables || c.Status != check.Failed {
		t.Error(describe(report))
	}
}

// tablesFrom returns what RefreshTables reports of a server that sends this row so many
// times.
func tablesFrom(t *testing.T, rows int, row []string) (database.Tables, check.Report) {
	t.Helper()
	values := make([][]byte, len(row))
	fields := make([]pgproto3.FieldDescription, len(row))
	for i, v := range row {
		values[i], fields[i].Name = []byte(v), []byte{'a' + byte(i)}
	}
	s := servedBy(func(conn net.Conn) {
		b, _, err := acceptStartup(conn)
		if err != nil || b.acceptLogin("16.1") != nil {
			return
		}
		if err := b.receiveStatement(); err != nil || b.answerQuery(`{"publication":{"found":{}}}`) != nil {
			return
		}
		if err := b.receiveStatement(); err != nil || b.send(&pgproto3.RowDescription{Fields: fields}) != nil {
			return
		}
		message := encode(&pgproto3.DataRow{Values: values})
		for range rows {
			if _, err := conn.Write(message); err != nil {
				return
			}
		}
		if b.send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT")}, &pgproto3.ReadyForQuery{TxStatus: 'T'}) == nil && b.receiveStatement() == nil {
			discardInput(conn)
		}
	})(t)
	s.limit = 0
	begin := time.Now()
	tables, report := prober(t).RefreshTables(t.Context(), s.target)
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	return tables, report
}
