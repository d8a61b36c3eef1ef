package ask

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

// maxMisnamed bounds the tables and the schemas that are reported as field errors.
const maxMisnamed = 100

// creationSQL selects what decides whether the publication can be made as p says: as if
// it were there, which it is not. Descendants of a table that inherit from it are
// published with it.
func creationSQL(publication string, p database.NewPublication) string {
	limit := strconv.Itoa(maxListed)
	everything := strconv.FormatBool(len(p.Tables) == 0 && len(p.Schemas) == 0)
	return `WITH RECURSIVE wish AS MATERIALIZED (
SELECT w.n - 1 AS index, c.oid, c.relname, h.nspname, c.relowner, CASE WHEN c.oid IS NULL THEN 'absent' WHEN c.relkind NOT IN ('r', 'p') THEN 'not a table'
WHEN c.oid < 16384 THEN 'system' WHEN c.relpersistence = 't' THEN 'temporary' WHEN c.relpersistence = 'u' THEN 'unlogged'
WHEN c.relkind = 'p' AND pg_catalog.current_setting('server_version_num')::int < 130000 THEN 'too old' END AS misfit
FROM pg_catalog.jsonb_array_elements(` + tablesJSON(p.Tables) + `) WITH ORDINALITY w (e, n)
LEFT JOIN pg_catalog.pg_namespace h ON h.nspname = w.e ->> 0
LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = h.oid AND c.relname = w.e ->> 1),
place AS MATERIALIZED (
SELECT w.n - 1 AS index, h.oid, CASE WHEN pg_catalog.current_setting('server_version_num')::int < 150000 THEN 'too old'
WHEN h.oid IS NULL THEN 'absent' WHEN h.nspname IN ('pg_catalog', 'pg_toast') OR h.nspname LIKE 'pg!_temp!_%' ESCAPE '!' OR h.nspname LIKE 'pg!_toast!_temp!_%' ESCAPE '!' THEN 'system' END AS misfit
FROM pg_catalog.jsonb_array_elements_text(` + namesJSON(p.Schemas) + `) WITH ORDINALITY w (e, n)
LEFT JOIN pg_catalog.pg_namespace h ON h.nspname = w.e),
line (oid, elder) AS (
SELECT w.oid, w.oid FROM wish w WHERE w.misfit IS NULL
UNION SELECT i.inhrelid, l.elder FROM line l JOIN pg_catalog.pg_class c ON c.oid = l.oid AND c.relkind = 'r' JOIN pg_catalog.pg_inherits i ON i.inhparent = l.oid),
kin AS MATERIALIZED (SELECT DISTINCT l.oid FROM line l),
misnamed AS MATERIALIZED (
SELECT w.index, w.misfit FROM wish w WHERE w.misfit IS NOT NULL
UNION ALL SELECT w.index, 'child' FROM wish w WHERE EXISTS (SELECT FROM line l JOIN pg_catalog.pg_class c ON c.oid = l.oid
WHERE l.elder = w.oid AND (c.relkind NOT IN ('r', 'p') OR c.relpersistence <> 'p'))),
pub AS (SELECT 0::oid AS oid, ` + everything + ` AS puballtables, '{"pubviaroot": ` + strconv.FormatBool(p.ViaRoot) + `}'::jsonb AS row),
entry AS MATERIALIZED (SELECT 0::oid AS oid, k.oid AS relid, NULL::jsonb AS columns, false AS filtered FROM kin k),
schema AS MATERIALIZED (SELECT x.oid FROM place x WHERE x.misfit IS NULL),
` + scopeSQL() + `,
` + troubledSQL() + `,
unsafe AS MATERIALIZED (
SELECT n.*, t.kind, t.sender, t.entry FROM troubled t JOIN node n ON n.oid = t.oid CROSS JOIN scope s WHERE s.something
AND (t.kind = 'missing' OR t.kind = 'generated' AND pg_catalog.current_setting('server_version_num')::int >= 180000)),
other AS MATERIALIZED (
SELECT h.nspname, c.relname, c.relowner FROM kin k JOIN pg_catalog.pg_class c ON c.oid = k.oid JOIN pg_catalog.pg_namespace h ON h.oid = c.relnamespace
WHERE NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')),
owned AS (
SELECT x.* FROM scope s CROSS JOIN node x WHERE s.something AND x.oid = x.root AND pg_catalog.pg_has_role(x.relowner, 'USAGE') AND x.root NOT IN (SELECT t.root FROM troubled t)
AND (x.relkind = 'r' OR pg_catalog.current_setting('server_version_num')::int >= 130000))
SELECT pg_catalog.jsonb_build_object('new publication', CASE WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_publication p WHERE p.pubname = ` + quote.RawLiteral(publication) + `) THEN (
SELECT pg_catalog.jsonb_build_object(
'superuser', r.rolsuper, 'may', pg_catalog.has_database_privilege(d.oid, 'CREATE'), 'database_owner', pg_catalog.pg_get_userbyid(d.datdba),
'misnamed', ` + misfitsSQL("misnamed") + `, 'misnamed_schemas', ` + misfitsSQL("place") + `,
'foreign', (SELECT pg_catalog.jsonb_agg(` + tableJSON("x") + `) FROM (SELECT * FROM other ORDER BY nspname, relname LIMIT ` + limit + `) x),
'foreign_total', (SELECT pg_catalog.count(*) FROM other),
'unsafe', (SELECT pg_catalog.jsonb_agg(` + tableJSON("x") + ` || pg_catalog.jsonb_build_object('kind', x.kind, 'identity', x.relreplident, 'oids', pg_catalog.jsonb_build_object(
'oid', x.oid::bigint, 'root', x.root::bigint, 'sender', x.sender::bigint, 'filter', false))) FROM (SELECT * FROM unsafe ORDER BY nspname, relname LIMIT ` + limit + `) x),
'unsafe_total', (SELECT pg_catalog.count(*) FROM unsafe),
'owned', CASE WHEN NOT r.rolsuper THEN (SELECT pg_catalog.jsonb_agg(` + tableJSON("x") + `) FROM (SELECT * FROM owned ORDER BY nspname, relname LIMIT ` + limit + `) x) END)
FROM pg_catalog.pg_database d, pg_catalog.pg_roles r WHERE d.datname = pg_catalog.current_database() AND r.rolname = current_user) END)::text`
}

// misfitsSQL selects the elements of a list of the request that can't be published.
func misfitsSQL(list string) string {
	return `(SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('index', x.index, 'reason', x.misfit)) FROM (
SELECT * FROM ` + list + ` w WHERE w.misfit IS NOT NULL ORDER BY w.index LIMIT ` + strconv.Itoa(maxMisnamed) + `) x)`
}

// tablesJSON returns the names of tables as a literal of type jsonb.
func tablesJSON(tables []database.TableName) string {
	pairs := make([][2]string, len(tables))
	for i, t := range tables {
		pairs[i] = [2]string{t.Schema, t.Name}
	}
	return jsonLiteral(pairs)
}

func namesJSON(names []string) string {
	if names == nil {
		names = []string{}
	}
	return jsonLiteral(names)
}

// jsonLiteral returns a list of texts as a literal of type jsonb.
func jsonLiteral(list any) string {
	b, err := json.Marshal(list)
	if err != nil { // no list of texts has one
		b = []byte("[]")
	}
	return quote.RawLiteral(string(b)) + "::jsonb"
}

// creationBounded reports whether c has no more than the statement asks for.
func creationBounded(c *facts.Creation) bool {
	if c == nil {
		return true
	}
	tables := append(slices.Clone(c.Foreign), c.Owned...)
	for _, t := range c.Unsafe {
		tables = append(tables, t.Object)
	}
	return len(c.Misnamed) <= maxMisnamed && len(c.MisnamedSchemas) <= maxMisnamed && len(tables) <= 3*maxListed && areTables(tables)
}
