package ask

// troubledSQL is a common table expression with the tables whose updates and deletes
// fail on the server once they are published, and why, as CheckCmdReplicaIdentity
// finds it, in its order. Up to 17, a deleted row's key comes without its generated
// columns. filtered is NULL for a table without an entry, and NULL AND would look for the
// filter's columns.
func troubledSQL() string {
	return `leaf AS MATERIALIZED (
SELECT n.oid, n.root, n.relreplident AS identity, (i.indkey::int2[])[0:i.indnkeyatts - 1] AS keys, CASE WHEN s.via_root THEN n.top ELSE n.oid END AS sender
FROM node n CROSS JOIN scope s
LEFT JOIN pg_catalog.pg_index i ON i.indrelid = n.oid AND i.indisvalid AND i.indimmediate AND (n.relreplident = 'd' AND i.indisprimary OR n.relreplident = 'i' AND i.indisreplident)
WHERE n.relkind = 'r'),
troubled AS MATERIALIZED (
SELECT x.* FROM (SELECT l.oid, l.root, l.sender, l.keys, e.oid AS entry, e.columns, CASE
WHEN e.filtered IS TRUE AND l.identity <> 'f' AND EXISTS (
SELECT FROM (` + filterColumnsSQL("e.oid", "l.sender", "e.columns") + `) d WHERE NOT EXISTS (
SELECT FROM pg_catalog.pg_attribute b WHERE b.attrelid = l.oid AND b.attname = d.attname AND b.attnum = ANY (l.keys))) THEN 'filter'
WHEN e.columns IS NOT NULL AND (l.identity = 'f' OR EXISTS (
SELECT FROM pg_catalog.pg_attribute b LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = l.sender AND a.attname = b.attname
WHERE b.attrelid = l.oid AND b.attnum = ANY (l.keys) AND (a.attnum IS NULL OR NOT e.columns @> pg_catalog.to_jsonb(a.attnum)))) THEN 'unpublished'
WHEN e.columns IS NULL AND l.oid IN (SELECT a.attrelid FROM pg_catalog.pg_attribute a WHERE a.attgenerated <> '') AND EXISTS (
SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = l.oid AND a.attgenerated <> '' AND NOT a.attisdropped
AND CASE WHEN s.generated IS NULL THEN l.identity <> 'f' AND a.attnum = ANY (l.keys)
ELSE a.attgenerated::text <> s.generated AND (l.identity = 'f' OR a.attnum = ANY (l.keys)) END) THEN 'generated'
WHEN l.identity <> 'f' AND l.keys IS NULL THEN 'missing' END AS kind
FROM leaf l CROSS JOIN scope s LEFT JOIN entry e ON e.relid = l.sender) x WHERE x.kind IS NOT NULL),
secured AS MATERIALIZED (
SELECT x.* FROM sent x WHERE CASE WHEN x.relrowsecurity THEN pg_catalog.row_security_active(x.oid) ELSE false END
AND NOT (pg_catalog.current_setting('row_security') = 'on' AND ` + allVisibleSQL() + `))`
}

// filterColumnsSQL selects the columns that a row filter refers to. Each has a
// dependency, and each column of the column list has one too.
func filterColumnsSQL(entry, sender, columns string) string {
	return `SELECT a.attname FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_catalog.pg_publication_rel'::regclass AND d.objid = ` + entry + ` AND d.refclassid = 'pg_catalog.pg_class'::regclass
AND d.refobjid = ` + sender + ` AND d.refobjsubid > 0 AND d.deptype = 'n' GROUP BY a.attname, a.attnum
HAVING pg_catalog.count(*) > CASE WHEN ` + columns + ` @> pg_catalog.to_jsonb(a.attnum) THEN 1 ELSE 0 END`
}

// policySQL is the condition that a policy y on table x, with this property, applies to
// what the role reads.
func policySQL(property string) string {
	return `EXISTS (SELECT FROM pg_catalog.pg_policy y WHERE y.polrelid = x.oid AND y.polcmd IN ('r', '*') AND ` + property + `
AND EXISTS (SELECT FROM pg_catalog.unnest(y.polroles) o WHERE CASE WHEN o = 0 THEN true ELSE pg_catalog.pg_has_role(o, 'USAGE') END))`
}

// allVisibleSQL is the condition that the policies on x show every row to the role.
func allVisibleSQL() string {
	return policySQL("y.polpermissive AND pg_catalog.pg_get_expr(y.polqual, y.polrelid) = 'true'") + "\nAND NOT " +
		policySQL("NOT y.polpermissive AND pg_catalog.pg_get_expr(y.polqual, y.polrelid) <> 'true'")
}

// tableJSON returns the JSON object about the table in row x: its name, and its owner.
func tableJSON(x string) string {
	return `pg_catalog.jsonb_build_object('name', pg_catalog.jsonb_build_array(` + x + `.nspname, ` + x + `.relname),
'owner', pg_catalog.pg_get_userbyid(` + x + `.relowner), 'owned', pg_catalog.pg_has_role(` + x + `.relowner, 'USAGE'))`
}

// columnsSQL selects the names of the columns of a table with these numbers, which are
// a JSON array.
func columnsSQL(table, numbers string) string {
	return `(SELECT pg_catalog.jsonb_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE a.attrelid = ` + table + ` AND ` + numbers + ` @> pg_catalog.to_jsonb(a.attnum))`
}
