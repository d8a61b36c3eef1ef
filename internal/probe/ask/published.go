package ask

import "github.com/headgate/headgate/internal/probe/quote"

// publishable is the condition on a row c of pg_class that Postgres publishes the
// table: not unlogged or temporary ones, and none of the system's.
const publishable = `c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND c.oid >= 16384`

// listed is the condition that the publication has the table itself, not one of its
// ancestors. If nothing is published, all tables are: they are what could be.
const listed = publishable + ` AND (s.everything OR NOT s.something OR c.oid IN (SELECT e.relid FROM entry e) OR c.relnamespace IN (SELECT x.oid FROM schema x))`

// nodeColumns are what node has of a row c of pg_class, and treeColumns their names.
const (
	nodeColumns = `c.relname, c.relnamespace, c.relkind, c.relowner, c.relreplident, c.relrowsecurity`
	treeColumns = `relname, relnamespace, relkind, relowner, relreplident, relrowsecurity`
)

// publishedSQL returns common table expressions about the publication:
//
//   - scope has one row, whether the publication exists or not.
//   - entry has its rows of pg_publication_rel, and schema its schemas.
//   - node has the tables that it publishes, partitioned tables and their partitions
//     included; root is the partitioned table at the top, and top the uppermost table
//     in the publication.
//   - sent has the tables under whose names the changes are sent, which are those that a
//     consumer copies.
//
// Its time is linear in the number of tables, and it waits for no lock on a table:
// pg_publication_tables is quadratic for schemas, and from 16 on waits for locks.
// Partitions are looked up one by one: without statistics of pg_inherits, the planner would
// read all of pg_class for each level of a tree. Columns and catalogs that not all versions
// have are read by way of to_jsonb and pg_depend.
func publishedSQL(publication string) string {
	return "WITH RECURSIVE " + existingSQL(publication) + ",\n" + scopeSQL()
}

// existingSQL returns the expressions of publishedSQL that read the publication.
func existingSQL(publication string) string {
	return `pub AS MATERIALIZED (
SELECT p.oid, p.puballtables, pg_catalog.to_jsonb(p) AS row FROM pg_catalog.pg_publication p WHERE p.pubname = ` + quote.RawLiteral(publication) + `),
entry AS MATERIALIZED (
SELECT x.oid, x.relid, NULLIF(x.row -> 'prattrs', 'null') AS columns, x.row ->> 'prqual' IS NOT NULL AS filtered
FROM (SELECT r.oid, r.prrelid AS relid, pg_catalog.to_jsonb(r) AS row FROM pub JOIN pg_catalog.pg_publication_rel r ON r.prpubid = pub.oid OFFSET 0) x),
schema AS MATERIALIZED (
SELECT n.refobjid AS oid FROM pub
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_publication'::regclass AND d.refobjid = pub.oid AND d.classid = pg_catalog.to_regclass('pg_catalog.pg_publication_namespace')
JOIN pg_catalog.pg_depend n ON n.classid = d.classid AND n.objid = d.objid AND n.refclassid = 'pg_catalog.pg_namespace'::regclass)`
}

// scopeSQL returns the expressions of publishedSQL that follow from pub, entry and schema.
func scopeSQL() string {
	return `scope AS MATERIALIZED (
SELECT COALESCE(pub.puballtables, false) AS everything,
COALESCE(pub.puballtables, false) OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE ` + publishable + ` AND (c.oid IN (SELECT e.relid FROM entry e) OR c.relnamespace IN (SELECT x.oid FROM schema x))) AS something,
COALESCE((pub.row ->> 'pubviaroot')::bool, false) AS via_root,
COALESCE(pub.row ->> 'pubgencols', CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 180000 THEN 'n' END) AS generated
FROM (SELECT 1) one LEFT JOIN pub ON true),
tree (oid, root, top, sendable, ` + treeColumns + `) AS (
SELECT c.oid, c.oid, CASE WHEN ` + listed + ` THEN c.oid END, ` + publishable + `, ` + nodeColumns + `
FROM pg_catalog.pg_class c CROSS JOIN scope s WHERE c.relkind = 'p' AND NOT c.relispartition
UNION ALL
SELECT c.oid, t.root, COALESCE(t.top, CASE WHEN ` + listed + ` THEN c.oid END), ` + publishable + `, ` + nodeColumns + `
FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
CROSS JOIN LATERAL (SELECT * FROM pg_catalog.pg_class c WHERE c.oid = i.inhrelid AND c.relispartition OFFSET 0) c CROSS JOIN scope s),
node AS MATERIALIZED (
SELECT x.*, h.nspname FROM (
SELECT c.oid, c.oid AS root, c.oid AS top, ` + nodeColumns + ` FROM pg_catalog.pg_class c CROSS JOIN scope s WHERE c.relkind = 'r' AND NOT c.relispartition AND ` + listed + `
UNION ALL SELECT t.oid, t.root, t.top, ` + treeColumns + ` FROM tree t WHERE t.top IS NOT NULL AND t.sendable) x
JOIN pg_catalog.pg_namespace h ON h.oid = x.relnamespace),
sent AS MATERIALIZED (
SELECT n.*, e.columns, CASE WHEN pg_catalog.has_table_privilege(n.oid, 'SELECT') THEN true
WHEN n.oid IN (SELECT a.attrelid FROM pg_catalog.pg_attribute a WHERE a.attacl IS NOT NULL)
THEN NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = n.oid AND a.attnum > 0 AND NOT a.attisdropped
AND CASE WHEN e.columns IS NULL THEN a.attgenerated = '' OR a.attgenerated::text = s.generated ELSE e.columns @> pg_catalog.to_jsonb(a.attnum) END
AND NOT pg_catalog.has_column_privilege(n.oid, a.attnum, 'SELECT'))
ELSE false END AS readable
FROM node n CROSS JOIN scope s LEFT JOIN entry e ON e.relid = n.oid
WHERE s.something AND CASE WHEN s.via_root THEN n.oid = n.top ELSE n.relkind = 'r' END)`
}
