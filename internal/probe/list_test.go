package probe_test

import (
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

func TestRefreshTables(t *testing.T) {
	t.Parallel()
	s := afterSQL(`CREATE SCHEMA "clo;sed"; CREATE TABLE "clo;sed".x (id int); GRANT SELECT ON "clo;sed".x TO %[2]s;
CREATE TABLE whole (id int); ALTER TABLE whole REPLICA IDENTITY FULL; CREATE TABLE bare (id int); ALTER TABLE bare REPLICA IDENTITY NOTHING;
CREATE TABLE indexed (id int NOT NULL); CREATE UNIQUE INDEX i ON indexed (id); ALTER TABLE indexed REPLICA IDENTITY USING INDEX i;
ALTER PUBLICATION %[1]s ADD TABLE "clo;sed".x, whole, bare, indexed`)(t)
	tables, report := s.tables()
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
	if fmt.Sprint(tables) != fmt.Sprint(want) {
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
		if tables, report := s.tables(); len(tables) != 1 {
			t.Errorf("%q: %d tables are listed:%s", name, len(tables), describe(report))
		}
		s.exec("DROP PUBLICATION " + identifier(name))
	}
}

func TestRefreshTables_WithoutReplication(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	s.admin("ALTER ROLE " + s.role() + " NOREPLICATION")
	if tables, report := s.tables(); len(tables) != 1 {
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
			tables, report := sourceWith(change)(t).tables()
			if c, _ := report.FirstFailure(); c.Code != code || len(tables) > 0 {
				t.Errorf("got %d tables and %s", len(tables), describe(report))
			}
		})
	}
}

func TestRefreshTables_Limits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rows int
		name string
	}{
		{20_000, "short"},
		{20_000, strings.Repeat("n", 63)},
		{20_000, strings.Repeat("\x01", 63)},
		{70_000, "s"},
	} {
		if tables, report := sending(t, c.rows, []string{"public", c.name, "default", "t"}).tables(); len(tables) != c.rows {
			t.Errorf("of %d tables %d are listed%s", c.rows, len(tables), describe(report))
		}
	}
}

// TestRefreshTables_Many is not parallel: it measures what this process allocates. It
// holds that the tables that a list has no room for are not kept, and that a full list
// has as many as fit into 5 MB.
func TestRefreshTables_Many(t *testing.T) {
	const tables = 100_000
	s := newSource(t, pgtest.Start(t, pgserver.Options{Settings: map[string]string{"autovacuum": "off"}}))
	s.multiply(tables)
	for _, c := range []struct {
		room int // bytes
		most uint64
	}{
		{100_000, 2 << 20},
		{database.MaxListBytes, 32 << 20},
	} {
		var before, after runtime.MemStats
		listed, left := 0, c.room
		runtime.ReadMemStats(&before)
		begin := time.Now()
		report := prober(t).RefreshTables(t.Context(), s.target, func(table database.Table) bool {
			listed++
			left -= check.SentSize(table) + 1 // and a comma
			return left >= 0
		}).Report
		runtime.ReadMemStats(&after)
		if failure, failed := report.FirstFailure(); failed || left >= 0 || listed == tables {
			t.Errorf("%d tables are listed in %d bytes, %d are left %v", listed, c.room, left, failure)
		}
		allocated := after.TotalAlloc - before.TotalAlloc
		if t.Logf("%d tables in %d bytes: %d allocated, %v", listed, c.room, allocated, time.Since(begin)); allocated > c.most {
			t.Errorf("more than %d", c.most)
		}
	}
}

// multiply makes the catalog say that the database has n more tables like t. Their rows
// are all that a list of tables is made from; to create them would take minutes.
func (s *source) multiply(n int) {
	s.t.Helper()
	// In portions, since a statement takes a time quadratic in the rows that it adds.
	s.exec(fmt.Sprintf(`DO $$ BEGIN FOR batch IN 0..%d LOOP EXECUTE (SELECT 'INSERT INTO pg_class SELECT ' || string_agg(
CASE attname WHEN 'oid' THEN '1000000 + i' WHEN 'relname' THEN $name$'many_' || i$name$ ELSE quote_ident(attname) END, ', ' ORDER BY attnum)
|| format($from$ FROM pg_class, generate_series(%%s, %%s) i WHERE oid = 't'::regclass$from$, batch * 1000, batch * 1000 + 999)
FROM pg_attribute WHERE attrelid = 'pg_class'::regclass AND attnum > 0); END LOOP; END $$`, n/1000-1))
	s.exec(s.sql("DROP PUBLICATION %[1]s; CREATE PUBLICATION %[1]s FOR ALL TABLES"))
}

func TestRefreshTables_MalformedList(t *testing.T) {
	t.Parallel()
	for _, row := range [][]string{{"public"}, {"public", "t", strings.Repeat("x", 1000), "t"}} {
		if tables, report := sending(t, 10, row).tables(); len(tables) > 0 {
			t.Errorf("%d tables are listed", len(tables))
		} else if _, ok := entry(report, check.NotChecked); !ok {
			t.Error(describe(report))
		}
	}
	if _, report := sending(t, 1_000_000, []string{"public", "t", "full", "t"}).tables(); report.Count(check.Failed) == 0 {
		t.Error("a flood is listed")
	} else if c, ok := entry(report, check.NotChecked); !ok || c.Name != check.Tables || c.Status != check.Failed {
		t.Error(describe(report))
	}
}

// tables returns what RefreshTables passes on and reports.
func (s *source) tables() ([]database.Table, check.Report) {
	s.t.Helper()
	var tables []database.Table
	begin := time.Now()
	report := prober(s.t).RefreshTables(s.t.Context(), s.target, func(t database.Table) bool {
		tables = append(tables, t)
		return true
	}).Report
	if took := time.Since(begin); took > 10*time.Second {
		s.t.Errorf("it took %v", took)
	}
	return tables, report
}

// sending returns a source whose server sends this row so many times for the list of
// tables.
func sending(t *testing.T, rows int, row []string) *source {
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
	return s
}
