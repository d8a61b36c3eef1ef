package hostile_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/headgate/headgate/internal/testkit/gateway"
	"github.com/headgate/headgate/internal/testkit/pgserver"
)

func ident(name string) string { return pgx.Identifier{name}.Sanitize() }

func literal(value string) string {
	return " E'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}

// scene is a source on the real server and what hostile names must not have done.
type scene struct {
	*stack
	source  pgserver.Source
	payload map[string]any
	mark    string
}

// newMark returns a file that no shell must create, with a name that is short enough
// for a hostile name.
func newMark(t *testing.T) string {
	t.Helper()
	directory, err := os.MkdirTemp("/tmp", "hg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(directory); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(directory, "x")
}

// newScene returns a scene. change alters the source before it is created.
func newScene(t *testing.T, mark string, change func(*pgserver.Source)) *scene {
	t.Helper()
	s := &scene{stack: newStack(t, loopback, ""), mark: mark}
	s.source = newSource(t, "a password", change)
	s.payload = realPayload(t, "orders", s.source)
	return s
}

func (s *scene) exec(sql string) string {
	s.t.Helper()
	out, err := postgres.get(s.t).Exec(s.t.Context(), s.source.Database, sql)
	if err != nil {
		s.t.Fatalf("%q: %v", sql, err)
	}
	return out
}

// isSQL reports whether a fix can be run as it is printed, without a choice of the
// reader's.
func isSQL(fix string) bool {
	return regexp.MustCompile(`^(ALTER|CREATE|GRANT|REVOKE|SELECT|DROP|BEGIN|SET)\b`).MatchString(fix) &&
		!strings.Contains(fix, "<slot_name>") && !strings.Contains(fix, "ALTER SYSTEM")
}

// mend runs the fixes of findings with one of the codes until there are none, and
// checks that they do nothing else. It returns the number of fixes.
func (s *scene) mend(codes ...string) int {
	s.t.Helper()
	const maxRounds = 40
	ran := 0
	for range maxRounds {
		again := false
		for _, f := range s.dryRun(s.payload).findings() {
			if !slices.Contains(codes, f.Code) {
				continue
			}
			if !isSQL(f.Fix) {
				s.fail("no fix", "%s: the fix is no statement: %q", f.Code, f.Fix)
				continue
			}
			before := s.state()
			out, err := runSQL(s.t, s.source.Database, f.Fix)
			if err != nil {
				s.fail("fix", "%s: %v\nfix: %q\noutput: %s", f.Code, err, f.Fix, out)
				return ran
			}
			s.checkHarmless(f, before)
			ran++
			again = true
		}
		if !again {
			return ran
		}
	}
	s.fail("fixes", "fixes of %v after %d rounds", codes, maxRounds)
	return ran
}

// state returns what a fix must not change.
func (s *scene) state() string {
	s.t.Helper()
	return s.exec(`SELECT (SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p', 'v')), (SELECT count(*) FROM pg_proc), ` +
		`(SELECT count(*) FROM orders), (SELECT count(*) FROM pg_namespace), (SELECT count(*) FROM pg_replication_slots WHERE slot_name = ` +
		literal(s.source.Slot) + `)`)
}

// checkHarmless checks that a fix did nothing but mend.
func (s *scene) checkHarmless(f finding, before string) {
	s.t.Helper()
	total.add(fixesRun, 1)
	if after := s.state(); after != before {
		s.t.Errorf("%s: the fix changed %s to %s: %q", f.Code, before, after, f.Fix)
	}
	if _, err := os.Stat(s.mark); err == nil {
		s.t.Fatalf("%s: a shell ran: %q", f.Code, f.Fix)
	}
}

func TestNames_Tables(t *testing.T) {
	t.Parallel()
	mark := newMark(t)
	names := hostileNames(random("tables", 0), mark, 150)
	for some := range slices.Chunk(names, 10) {
		s := newScene(t, mark, nil)
		role := ident(s.source.Username)
		for _, name := range some {
			total.add(namesTried, 1)
			s.exec("CREATE SCHEMA " + ident(name) + "; CREATE TABLE " + ident(name) + "." + ident(name) + " (id int)")
		}
		s.exec("DROP PUBLICATION pub; CREATE PUBLICATION pub FOR ALL TABLES")
		// A publication that is newer than its slot would hide nothing here, but the
		// order is checked by reading the slot.
		s.exec("SELECT pg_drop_replication_slot('" + s.source.Slot + "')")
		s.exec("SELECT pg_create_logical_replication_slot('" + s.source.Slot + "', 'pgoutput')")
		if ran := s.mend("tables_unreadable", "replica_identity_missing"); ran < len(some) {
			t.Errorf("%d fixes for %d tables", ran, len(some))
		}
		for _, name := range some {
			table := ident(name) + "." + ident(name)
			got := s.exec("SELECT has_table_privilege(" + literal(s.source.Username) + ", c.oid, 'SELECT'), relreplident FROM pg_class c WHERE c.oid =" +
				literal(table) + "::regclass")
			if got != "t\tf" {
				t.Errorf("%q after all fixes: readable, replica identity %q", name, got)
			}
		}
		s.checkList(some)
		s.exec("DROP OWNED BY " + role)
	}
}

// checkList checks that refresh_tables lists the tables by their very names.
func (s *scene) checkList(names []string) {
	s.t.Helper()
	if got := s.send("POST", gateway.Collection, s.payload); got.status != 201 {
		s.t.Fatalf("create: %d %s", got.status, cut(got.body))
	}
	got := s.send("POST", gateway.Collection+"/orders/refresh_tables", nil)
	listed := map[string]bool{}
	for _, table := range got.Tables {
		listed[table.Schema] = table.Schema == table.Name
	}
	for _, name := range names {
		if !listed[name] {
			s.t.Errorf("table %q is not listed: %d %s", name, got.status, cut(got.body))
		}
	}
}

func TestNames_Publications(t *testing.T) {
	t.Parallel()
	mark := newMark(t)
	// No hostile name is near to it, so that no fix proposes it.
	s := newScene(t, mark, func(s *pgserver.Source) { s.Publication = "the_publication_that_is_there" })
	for _, name := range hostileNames(random("publications", 0), mark, 150) {
		s.payload["replication_slots"] = []any{map[string]any{"publication_name": name, "slot_name": s.source.Slot}}
		total.add(namesTried, 1)
		if !acceptable(name) {
			if got := s.dryRun(s.payload); got.status != 422 || got.Code != "invalid_payload" {
				t.Errorf("publication %q: %d %s", name, got.status, got.Code)
			}
			continue
		}
		s.mend("publication_not_found")
		if got := s.exec("SELECT count(*) FROM pg_publication WHERE pubname =" + literal(name)); got != "1" {
			s.fail("publication", "publication %q after its fix: %s", name, got)
			continue
		}
		s.exec("DROP PUBLICATION " + ident(name))
	}
}

func TestNames_RolesAndDatabases(t *testing.T) {
	t.Parallel()
	mark := newMark(t)
	names := hostileNames(random("roles", 0), mark, 100)
	names = slices.DeleteFunc(names, func(name string) bool { return !acceptable(name) || strings.TrimSpace(name) == "" })
	for _, name := range names[:min(len(names), 14)] {
		total.add(namesTried, 2)
		s := newScene(t, mark, func(s *pgserver.Source) { s.Database, s.Username = name, fit("r"+name) })
		role, database := ident(s.source.Username), ident(s.source.Database)
		s.exec("REVOKE SELECT ON orders FROM " + role)
		s.exec("ALTER ROLE " + role + " NOREPLICATION")
		s.exec("REVOKE CONNECT ON DATABASE " + database + " FROM PUBLIC")
		s.mend("connection_not_permitted")
		s.mend("replication_not_permitted", "tables_unreadable")
		s.exec("ALTER ROLE " + role + " NOLOGIN")
		s.mend("connection_not_permitted")
		if got := s.dryRun(s.payload); got.status != 200 || len(got.codes()) > 0 {
			t.Errorf("%q after all fixes: %d %v %s", name, got.status, got.codes(), got.Summary)
		}
		s.exec("ALTER ROLE " + role + " CONNECTION LIMIT 0")
		s.dryRun(s.payload)
		s.exec("ALTER ROLE " + role + " CONNECTION LIMIT -1")
		s.checkWrongDatabase()
	}
}

// checkWrongDatabase asks for the slot from another database, so that the name of
// the slot's is in the finding.
func (s *scene) checkWrongDatabase() {
	s.t.Helper()
	s.payload["database"] = "postgres"
	got := s.dryRun(s.payload)
	if !slices.Contains(got.codes(), "replication_slot_wrong_database") {
		s.t.Errorf("database %q: %v", s.source.Database, got.codes())
	}
}

// TestNames_Current has roles with control characters: a login as one can't be asked
// for, but a role can be set to one.
func TestNames_Current(t *testing.T) {
	t.Parallel()
	mark := newMark(t)
	s := newScene(t, mark, nil)
	role := ident(s.source.Username)
	for _, name := range hostileNames(random("current", 0), mark, 60) {
		total.add(namesTried, 1)
		s.exec("CREATE ROLE " + ident(name) + "; GRANT " + ident(name) + " TO " + role + "; ALTER ROLE " + role + " SET role =" + literal(name))
		s.exec("REVOKE SELECT ON orders FROM PUBLIC, " + role)
		s.mend("tables_unreadable", "replication_not_permitted")
		s.exec("ALTER ROLE " + role + " RESET role; DROP OWNED BY " + ident(name) + "; DROP ROLE " + ident(name))
	}
}
