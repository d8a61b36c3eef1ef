package probe_test

import (
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/check"
)

// tableFindings returns the codes of the tables check.
func tableFindings() map[check.Code]finding {
	return map[check.Code]finding{
		check.TablesUnreadable: {check.Tables, check.Warned, []state{
			{cause: "a role without ordinary sessions", fix: sql, says: "the role is 0", keeps: limited, setup: afterSQL("ALTER ROLE %[2]s CONNECTION LIMIT 0")},
			{cause: "a database without ordinary sessions", fix: sql, says: "the database is 0", keeps: limited, setup: sourceWith(func(s *source) {
				s.admin("ALTER DATABASE " + s.database() + " CONNECTION LIMIT 0")
			})},
			{cause: "no SELECT", fix: sql, setup: afterSQL("REVOKE SELECT ON t FROM %[2]s")},
			{cause: "no SELECT on a column", fix: sql, setup: afterSQL("REVOKE SELECT ON t FROM %[2]s; ALTER TABLE t ADD COLUMN v int; GRANT SELECT (id) ON t TO %[2]s")},
			{cause: "no SELECT on a column in the list", fix: sql, minMajor: 15, setup: afterStatements(columns,
				"ALTER PUBLICATION %[1]s SET TABLE t (id, v); REVOKE SELECT ON t FROM %[2]s; GRANT SELECT (id, w) ON t TO %[2]s")},
			{cause: "no SELECT on many tables of two schemas", fix: sql, setup: afterSQL(`CREATE SCHEMA "o'ther"; GRANT USAGE ON SCHEMA "o'ther" TO PUBLIC;
DO $$ BEGIN FOR i IN 10..30 LOOP EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY)', 'm"any ' || i); EXECUTE format('CREATE TABLE "o''ther".%I (id int PRIMARY KEY)', i); END LOOP; END $$;
DROP PUBLICATION %[1]s; CREATE PUBLICATION %[1]s FOR ALL TABLES`)},
			{cause: "no USAGE of the schema", fix: sql, setup: afterSQL(`CREATE SCHEMA "clo;sed"; CREATE TABLE "clo;sed".x (id int PRIMARY KEY);
GRANT SELECT ON "clo;sed".x TO %[2]s; ALTER PUBLICATION %[1]s ADD TABLE "clo;sed".x`)},
			{cause: "no USAGE of two schemas", fix: sql, says: `may not use schemas "a", "b": a backfill of their tables`, setup: afterSQL(`CREATE SCHEMA a; CREATE SCHEMA b;
CREATE TABLE a.x (id int PRIMARY KEY); CREATE TABLE b.x (id int PRIMARY KEY); GRANT SELECT ON a.x, b.x TO PUBLIC; ALTER PUBLICATION %[1]s ADD TABLE a.x, b.x`)},
			{cause: "no USAGE of the schema public", fix: sql, setup: afterSQL("REVOKE ALL ON SCHEMA public FROM PUBLIC")},
			{cause: "neither of the two", fix: sql, setup: afterSQL(`CREATE SCHEMA "clo--sed"; CREATE TABLE "clo--sed"."/*" (id int PRIMARY KEY);
ALTER PUBLICATION %[1]s ADD TABLE "clo--sed"."/*"`)},
		}},
		check.ReplicaIdentityNotPublished: {check.Tables, check.Warned, []state{
			{cause: "a column list without the key", fix: sql, minMajor: 15, setup: afterStatements(columns, "ALTER PUBLICATION %[1]s SET TABLE t (v)")},
			{cause: "a generated column is the key", fix: sql, setup: afterSQL(`CREATE TABLE generated (v int, id int GENERATED ALWAYS AS (v + 1) STORED PRIMARY KEY);
GRANT SELECT ON generated TO %[2]s; ALTER PUBLICATION %[1]s ADD TABLE generated`)},
		}},
		check.RowFilterOutsideIdentity: {check.Tables, check.Warned, []state{
			{cause: "a filter on another column", fix: sql, minMajor: 15, setup: afterStatements(columns, "ALTER PUBLICATION %[1]s SET TABLE t WHERE (v > 1)")},
		}},
		check.RowSecurityActive: {check.Tables, check.Warned, []state{
			{cause: "no policy", fix: sql, setup: afterSQL("ALTER TABLE t ENABLE ROW LEVEL SECURITY")},
			{cause: "a policy that shows some rows", fix: sql, setup: afterSQL("ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t TO %[2]s USING (id > 1)")},
			{cause: "a policy of the name that the fix would take", fix: sql, setup: sourceWith(func(s *source) {
				s.exec("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
				for _, suffix := range []string{"", " 2"} {
					s.exec("CREATE POLICY " + identifier("all rows for "+s.target.Endpoint.Username+suffix) + " ON t TO " + s.role() + " USING (id > 5)")
				}
			})},
			{cause: "a policy for another role", fix: sql, setup: afterSQL("ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t TO postgres USING (true)")},
			{cause: "a restrictive policy", fix: sql, setup: afterSQL(`ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (true);
CREATE POLICY r ON t AS RESTRICTIVE USING (id > 1)`)},
			{cause: "row_security is off for the role", fix: sql, setup: afterSQL(`ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (true);
ALTER ROLE %[2]s SET row_security = off`)},
		}},
		check.ReplicaIdentityMissing: {check.Tables, check.Warned, []state{
			{cause: "no primary key", fix: sql, setup: afterSQL("CREATE TABLE bare (id int); GRANT SELECT ON bare TO %[2]s; ALTER PUBLICATION %[1]s ADD TABLE bare")},
			{cause: "the identity is nothing", fix: sql, setup: afterSQL("ALTER TABLE t REPLICA IDENTITY NOTHING")},
			{cause: "the identity's index is gone", fix: sql, setup: afterSQL(`CREATE TABLE indexed (id int NOT NULL); CREATE UNIQUE INDEX i ON indexed (id);
ALTER TABLE indexed REPLICA IDENTITY USING INDEX i; DROP INDEX i; GRANT SELECT ON indexed TO %[2]s; ALTER PUBLICATION %[1]s ADD TABLE indexed`)},
			{cause: "a deferrable primary key", fix: sql, setup: afterSQL(`CREATE TABLE late (id int PRIMARY KEY DEFERRABLE); GRANT SELECT ON late TO %[2]s; ALTER PUBLICATION %[1]s ADD TABLE late`)},
			{cause: "a leaf of a partitioned table", fix: sql, minMajor: 13, setup: afterSQL(partitioned + `; ALTER PUBLICATION %[1]s ADD TABLE parted;
ALTER PUBLICATION %[1]s SET (publish_via_partition_root = true); ALTER TABLE leaf REPLICA IDENTITY NOTHING`)},
		}},
	}
}

// columns adds two columns to t.
const columns = "ALTER TABLE t ADD COLUMN v int, ADD COLUMN w int"

// uncheckedFindings returns the code of parts that could not be looked at.
func uncheckedFindings() map[check.Code]finding {
	return map[check.Code]finding{check.NotChecked: {check.Any, check.Warned, []state{
		{cause: "a catalog is not readable", setup: sourceWith(func(s *source) { s.exec("REVOKE SELECT ON pg_settings FROM PUBLIC") })},
		{cause: "a catalog is locked", setup: sourceWith(func(s *source) {
			lock := openSession(s.t, s.server, s.target.Endpoint.Database, nil)
			mustDo(s.t, lock, "BEGIN")
			mustDo(s.t, lock, "LOCK TABLE pg_publication_rel IN ACCESS EXCLUSIVE MODE")
		})},
	}}}
}

// TestProbe_RejectedUpdates has tables whose updates fail, and pass after the fix.
func TestProbe_RejectedUpdates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		minMajor int
		// change has %[1]s for the publication, and makes updates of t fail.
		change string
		code   check.Code
	}{
		{"no key, and a unique index", 12, "CREATE UNIQUE INDEX i ON t (v); ALTER TABLE t DROP CONSTRAINT t_pkey, ALTER v SET NOT NULL", check.ReplicaIdentityMissing},
		{"no key, and an index on nulls", 12, "CREATE UNIQUE INDEX i ON t (v); ALTER TABLE t DROP CONSTRAINT t_pkey", check.ReplicaIdentityMissing},
		{"no key, and a partial index", 12, "CREATE UNIQUE INDEX i ON t (v) WHERE v > 1; ALTER TABLE t DROP CONSTRAINT t_pkey, ALTER v SET NOT NULL", check.ReplicaIdentityMissing},
		{"identity nothing, and a key", 12, "ALTER TABLE t REPLICA IDENTITY NOTHING", check.ReplicaIdentityMissing},
		{"no key in a list, and an index on other columns", 15, `ALTER PUBLICATION %[1]s SET TABLE t (v);
CREATE UNIQUE INDEX i ON t (w); ALTER TABLE t DROP CONSTRAINT t_pkey, ALTER w SET NOT NULL`, check.ReplicaIdentityMissing},
		{"a list without the key", 15, "ALTER PUBLICATION %[1]s SET TABLE t (w)", check.ReplicaIdentityNotPublished},
		{"a list with a filter, without the key", 15, "ALTER PUBLICATION %[1]s SET TABLE t (w) WHERE (id > 0)", check.ReplicaIdentityNotPublished},
		{"a list, and the whole row as the identity", 15, "ALTER PUBLICATION %[1]s SET TABLE t (w); ALTER TABLE t REPLICA IDENTITY FULL", check.ReplicaIdentityNotPublished},
		{"a filter on another column", 15, "ALTER PUBLICATION %[1]s SET TABLE t WHERE (v > 0)", check.RowFilterOutsideIdentity},
		{"a filter on another column that has an index", 15, "ALTER PUBLICATION %[1]s SET TABLE t WHERE (v > 0); ALTER TABLE t ALTER v SET NOT NULL, ADD UNIQUE (v)", check.RowFilterOutsideIdentity},
		{"a generated key", 18, "ALTER TABLE t ADD g int GENERATED ALWAYS AS (v + 1) STORED; ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (g)", check.ReplicaIdentityNotPublished},
		{"the whole row, and a generated column", 18, "ALTER TABLE t ADD g int GENERATED ALWAYS AS (v + 1) STORED; ALTER TABLE t REPLICA IDENTITY FULL", check.ReplicaIdentityNotPublished},
		{"the whole row, and a virtual column", 18, "ALTER TABLE t ADD g int GENERATED ALWAYS AS (v + 1) VIRTUAL; ALTER TABLE t REPLICA IDENTITY FULL", check.ReplicaIdentityNotPublished},
	} {
		if major() < c.minMajor {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := afterStatements(columns, "INSERT INTO t VALUES (1, 2, 3)", c.change)(t)
			const change = "UPDATE t SET v = v + 1, w = w + 1"
			if _, err := s.server.Exec(t.Context(), s.target.Endpoint.Database, change); err == nil {
				t.Fatal("an update passes before the fix")
			}
			report := s.probe()
			found, ok := entry(report, c.code)
			if !ok || !strings.HasPrefix(found.Fix, "ALTER ") {
				t.Fatalf("no %s with a statement in%s", c.code, describe(report))
			}
			s.applyFinding(found)
			s.exec(change)
			if got := status(s.probe(), check.Tables); got != check.Passed {
				t.Errorf("after %q the tables are %s", found.Fix, got)
			}
		})
	}
}

func TestProbe_HealthyTables(t *testing.T) {
	t.Parallel()
	for name, format := range map[string]string{
		"an index as the identity": `CREATE TABLE indexed (id int NOT NULL); CREATE UNIQUE INDEX i ON indexed (id); GRANT SELECT ON indexed TO %[2]s;
ALTER TABLE indexed REPLICA IDENTITY USING INDEX i; ALTER PUBLICATION %[1]s ADD TABLE indexed`,
		"the full row as the identity": "CREATE TABLE whole (id int); ALTER TABLE whole REPLICA IDENTITY FULL; GRANT SELECT ON whole TO %[2]s; ALTER PUBLICATION %[1]s ADD TABLE whole",
		"no identity, but only inserts are sent": `CREATE TABLE bare (id int); GRANT SELECT ON bare TO %[2]s; ALTER PUBLICATION %[1]s ADD TABLE bare;
ALTER PUBLICATION %[1]s SET (publish = 'insert')`,
		"unlogged tables are not published":        `CREATE UNLOGGED TABLE u (id int); DROP PUBLICATION %[1]s; CREATE PUBLICATION %[1]s FOR ALL TABLES`,
		"a role that may read each column":         "REVOKE SELECT ON t FROM %[2]s; GRANT SELECT (id) ON t TO %[2]s",
		"a policy that shows every row":            "ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t TO %[2]s USING (true)",
		"row-level security, and BYPASSRLS":        "ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER ROLE %[2]s BYPASSRLS",
		"a role that reads everything as a member": `REVOKE SELECT ON t FROM %[2]s; GRANT SELECT ON t TO PUBLIC`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if report := afterSQL(format)(t).probe(); status(report, check.Tables) != check.Passed {
				t.Error(describe(report))
			}
		})
	}
}

// From 14 on the schema public belongs to a role that nobody can log in as.
func TestProbe_OwnerOfSchemaPublic(t *testing.T) {
	t.Parallel()
	found, _ := entry(afterSQL("REVOKE ALL ON SCHEMA public FROM PUBLIC")(t).probe(), check.TablesUnreadable)
	if strings.Contains(found.Message, "pg_database_owner") || !strings.Contains(found.Message, "run the fix as ") {
		t.Errorf("got %q", found.Message)
	}
}
