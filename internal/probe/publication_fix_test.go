package probe_test

import (
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/check"
)

// TestProbe_MissingPublication has fixes for different owners and tables.
func TestProbe_MissingPublication(t *testing.T) {
	t.Parallel()
	const drop = "DROP PUBLICATION %[1]s"
	owned := "ALTER TABLE t OWNER TO %[2]s"
	for _, c := range []struct {
		name   string
		change []string
		// sent is the publication's name in the request, empty for the usual one.
		sent string
		says string
		fix  string
	}{
		{name: "another letter case", change: []string{drop, "CREATE PUBLICATION mypub FOR TABLE t"}, sent: "MyPub", says: `"mypub" does`, fix: `send "publication_name": "mypub"`},
		{name: "a near name", change: []string{drop, "CREATE PUBLICATION my_pub FOR TABLE t"}, sent: "mypub", says: `"my_pub" does`, fix: `send "publication_name": "my_pub"`},
		{name: "a short name is near to none", change: []string{drop, "CREATE PUBLICATION ab FOR TABLE t"}, sent: "ac", fix: `CREATE PUBLICATION "ac" FOR TABLE "public"."t"`},
		{name: "tables of another owner", change: []string{drop}, says: `run the fix as role "postgres", the owner`, fix: ` FOR TABLE "public"."t"`},
		{name: "tables of the role, which may make it", change: []string{drop, owned, "GRANT CREATE ON DATABASE %[4]s TO %[2]s"}, fix: ` FOR TABLE "public"."t"`},
		{name: "tables of the role, which may not make it", change: []string{drop, owned}, says: "run the fix as a superuser", fix: ` FOR TABLE "public"."t"`},
		{name: "tables of two owners", change: []string{drop, "CREATE TABLE u (id int PRIMARY KEY)", owned}, says: "run the fix as a superuser", fix: `"public"."t", "public"."u"`},
		{name: "tables without a key are left out", change: []string{drop, "CREATE TABLE bare (id int)", "CREATE UNLOGGED TABLE u (id int PRIMARY KEY)"}, says: "the owner", fix: ` FOR TABLE "public"."t"`},
		{name: "a table that others without a key inherit from", change: []string{drop, "CREATE TABLE child () INHERITS (t)"}, says: "the owner", fix: ` FOR TABLE ONLY "public"."t"`},
		{name: "no table with a key", change: []string{drop, "DROP TABLE t", "CREATE TABLE bare (id int)"}, says: "every table here lacks a replica identity", fix: "CREATE PUBLICATION "},
		{name: "a key that is set aside", change: []string{drop, "ALTER TABLE t REPLICA IDENTITY NOTHING"}, says: "unless its REPLICA IDENTITY says otherwise", fix: "CREATE PUBLICATION "},
		{name: "an unlogged table", change: []string{drop, "ALTER TABLE t SET UNLOGGED"}, says: "; unlogged tables can't be published", fix: "CREATE PUBLICATION "},
		{name: "no table", change: []string{drop, "DROP TABLE t"}, says: "no table here that can be published", fix: "CREATE PUBLICATION "},
		{name: "many tables", change: []string{drop, "DO $$ BEGIN FOR i IN 10..40 LOOP EXECUTE format('CREATE TABLE x%s (id int PRIMARY KEY)', i); END LOOP; END $$"}, says: "12 more are not listed", fix: ` FOR TABLE "public"."t", "public"."x10"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSource(t, shared)
			for _, change := range c.change {
				s.exec(strings.ReplaceAll(s.sql(change), "%[4]s", s.database()))
			}
			if c.sent != "" {
				s.target.Slot.PublicationName = c.sent
			}
			found, ok := entry(s.probe(), check.PublicationNotFound)
			if !ok || !strings.Contains(found.Message, c.says) || !strings.Contains(found.Fix, c.fix) {
				t.Fatalf("got %q with the fix %q", found.Message, found.Fix)
			}
			if c.says == "" && strings.Contains(found.Message, "run the fix as") && c.sent == "" {
				t.Errorf("the role may run the fix itself: %q", found.Message)
			}
			if strings.HasPrefix(found.Fix, "CREATE ") {
				s.applyFinding(found)
				if table := s.anyTable(); table != "" {
					s.exec("UPDATE " + table + " SET id = id")
				}
				if _, still := entry(s.probe(), check.PublicationNotFound); still {
					t.Error("it is still not found")
				}
			}
		})
	}
}

// anyTable returns a table of the source.
func (s *source) anyTable() string {
	return s.exec("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname LIMIT 1")
}

// TestProbe_MissingOperations has tables whose updates fail once they are published.
func TestProbe_MissingOperations(t *testing.T) {
	t.Parallel()
	s := afterStatements("CREATE TABLE bare (id int, v int); GRANT SELECT ON bare TO %[2]s; INSERT INTO bare VALUES (1, 1)",
		"ALTER PUBLICATION %[1]s ADD TABLE bare", "ALTER PUBLICATION %[1]s SET (publish = 'insert')")(t)
	found, _ := entry(s.probe(), check.PublicationOperationsMissing)
	s.applyFinding(found)
	s.exec("UPDATE bare SET v = 2")
	if report := s.probe(); len(report.Codes()) > 0 {
		t.Errorf("after %q:%s", found.Fix, describe(report))
	}
}

// TestProbe_OtherPublications has keys that can't be replica identities, because updates
// would then fail for another publication.
func TestProbe_OtherPublications(t *testing.T) {
	t.Parallel()
	const listMajor = 15
	const keyed = "CREATE TABLE k (id int PRIMARY KEY, a int NOT NULL UNIQUE, b int NOT NULL UNIQUE); GRANT SELECT ON k TO %[2]s; INSERT INTO k VALUES (1, 1, 1)"
	for name, c := range map[string]struct {
		other, own, fix string
	}{
		"a row filter on the key that is in use":      {"CREATE PUBLICATION other FOR TABLE k WHERE (id > 0)", "k WHERE (a > 0)", "FULL"},
		"a row filter on the columns of both":         {"CREATE PUBLICATION other FOR TABLE k WHERE (a > 0)", "k WHERE (a > 1)", `"k_a_key"`},
		"a column list without the other key":         {"CREATE PUBLICATION other FOR TABLE k (id, b)", "k WHERE (a > 0)", ""},
		"a column list of which one key is left":      {"CREATE PUBLICATION other FOR TABLE k (id, a)", "k WHERE (a > 0)", `"k_a_key"`},
		"a row filter on neither, of inserts only":    {"CREATE PUBLICATION other FOR TABLE k WHERE (b > 0) WITH (publish = 'insert')", "k WHERE (a > 0)", `"k_a_key"`},
		"the whole row, which another consumer gets":  {"ALTER TABLE k REPLICA IDENTITY FULL; CREATE PUBLICATION other FOR TABLE k", "k (id, a)", ""},
		"a row filter on another table":               {"CREATE PUBLICATION other FOR TABLE t WHERE (id > 0)", "k WHERE (a > 0)", `"k_a_key"`},
		"a row filter on a partitioned table above k": {"CREATE TABLE p (LIKE k) PARTITION BY LIST (id); ALTER TABLE p ATTACH PARTITION k DEFAULT; CREATE PUBLICATION other FOR TABLE p WHERE (id > 0) WITH (publish_via_partition_root = true)", "k WHERE (a > 0)", "FULL"},
	} {
		if major() < listMajor {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := afterStatements(keyed, c.other, "ALTER PUBLICATION %[1]s ADD TABLE "+c.own, "ALTER PUBLICATION %[1]s SET (publish = 'insert')")(t)
			found, _ := entry(s.probe(), check.PublicationOperationsMissing)
			if c.fix == "" && strings.HasPrefix(found.Fix, "ALTER") || !strings.Contains(found.Fix, c.fix) {
				t.Fatalf("the fix is %q", found.Fix)
			}
			if c.fix != "" {
				s.applyFinding(found)
			}
			s.exec("UPDATE k SET b = 2")
		})
	}
}

func TestProbe_PartOfAPartitionedTable(t *testing.T) {
	t.Parallel()
	if major() < 13 {
		return
	}
	s := afterStatements(partitioned, "ALTER PUBLICATION %[1]s ADD TABLE leaf")(t)
	if report := s.probe(); len(report.Codes()) > 0 {
		t.Error(describe(report))
	}
}

// TestProbe_ListToExtend has a column list that lacks the key, of a table that the role
// may not read: the fix of one finding must not bring the other one back.
func TestProbe_ListToExtend(t *testing.T) {
	t.Parallel()
	if major() < 15 {
		return // no column lists
	}
	s := afterStatements("ALTER TABLE t ADD v int", "REVOKE SELECT ON t FROM %[2]s", "ALTER PUBLICATION %[1]s SET TABLE t (v)")(t)
	report := s.probe()
	for _, code := range []check.Code{check.TablesUnreadable, check.ReplicaIdentityNotPublished} {
		found, ok := entry(report, code)
		if !ok {
			t.Fatalf("no %s:%s", code, describe(report))
		}
		s.applyFinding(found)
	}
	if report := s.probe(); len(report.Codes()) > 0 {
		t.Errorf("after both fixes:%s", describe(report))
	}
}

// TestProbe_ListOfPartitions has partitions whose replica identities differ, and are not in
// the column list of their table: the fix for one must not undo the fix for the other.
func TestProbe_ListOfPartitions(t *testing.T) {
	t.Parallel()
	if major() < 15 {
		return // no column lists
	}
	s := afterStatements("CREATE TABLE p (id int, a int, b int, c int) PARTITION BY LIST (id)",
		"CREATE TABLE one PARTITION OF p (PRIMARY KEY (a)) FOR VALUES IN (1)", "CREATE TABLE two PARTITION OF p (PRIMARY KEY (b)) FOR VALUES IN (2)",
		"INSERT INTO p VALUES (1, 1, 1, 1), (2, 2, 2, 2)", "ALTER PUBLICATION %[1]s SET (publish_via_partition_root = true)", "ALTER PUBLICATION %[1]s ADD TABLE p (id)")(t)
	report := s.probe()
	for _, found := range report {
		if found.Fix != "" {
			s.applyFinding(found)
		}
	}
	s.exec("UPDATE p SET id = id")
	if again := s.probe(); len(report.Codes()) == 0 || len(again.Codes()) > 0 {
		t.Errorf("before:%s\nafter:%s", describe(report), describe(again))
	}
}

// TestProbe_ListAndGeneratedKey has a generated column as the key, which no column list can
// have up to 17.
func TestProbe_ListAndGeneratedKey(t *testing.T) {
	t.Parallel()
	if major() < 15 {
		return // no column lists
	}
	const table = "CREATE TABLE g (id int NOT NULL, v int GENERATED ALWAYS AS (id + 1) STORED PRIMARY KEY); GRANT SELECT ON g TO %[2]s; INSERT INTO g VALUES (1)"
	for name, c := range map[string]struct {
		more   string
		mended bool // by statements, also up to 17
	}{
		"another key": {"CREATE UNIQUE INDEX ON g (id)", true},
		"no other":    {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := afterStatements(table+"; "+c.more, "ALTER PUBLICATION %[1]s ADD TABLE g (id)")(t)
			found, ok := entry(s.probe(), check.ReplicaIdentityNotPublished)
			if !c.mended && major() < 18 {
				if !strings.HasPrefix(found.Fix, "give table ") {
					t.Errorf("the fix is %q", found.Fix)
				}
				return
			}
			if !ok {
				t.Fatal("no finding")
			}
			s.applyFinding(found)
			s.exec("UPDATE g SET id = 2")
			if report := s.probe(); len(report.Codes()) > 0 {
				t.Errorf("after %q:%s", found.Fix, describe(report))
			}
		})
	}
}
