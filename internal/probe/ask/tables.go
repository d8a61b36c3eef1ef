package ask

import (
	"strconv"

	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

const (
	// maxTroubles bounds the tables that are listed for each kind of trouble.
	maxTroubles = 10
	// maxColumns bounds the columns that are listed for a table.
	maxColumns = 100
)

// tablesSQL selects what is remarkable about the tables of the publication, or about
// all tables if nothing is published.
func tablesSQL(publication string) string {
	limit, troubles := strconv.Itoa(maxListed), strconv.Itoa(maxTroubles)
	return publishedSQL(publication) + `,
` + troubledSQL() + `
SELECT pg_catalog.jsonb_build_object('tables', pg_catalog.jsonb_build_object(
'count', c.sent,
'partitioned', (SELECT pg_catalog.count(*) FROM node n CROSS JOIN scope s WHERE s.something AND n.relkind = 'p'),
'closed', (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', pg_catalog.jsonb_build_array(x.nspname), 'owner', pg_catalog.pg_get_userbyid(x.nspowner), 'owned', pg_catalog.pg_has_role(x.nspowner, 'USAGE')))
FROM (SELECT n.nspname, n.nspowner FROM pg_catalog.pg_namespace n WHERE n.oid IN (SELECT t.relnamespace FROM sent t) AND NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE') ORDER BY 1 LIMIT ` + limit + `) x),
'unreadable', (SELECT pg_catalog.jsonb_agg(` + tableJSON("x") + ` || pg_catalog.jsonb_build_object('columns', CASE WHEN pg_catalog.jsonb_array_length(x.columns) > ` + strconv.Itoa(maxColumns) + ` THEN '[]' ELSE ` + columnsSQL("x.oid", "x.columns") + ` END))
FROM (SELECT * FROM sent WHERE NOT readable ORDER BY nspname, relname LIMIT ` + limit + `) x),
'secured', (SELECT pg_catalog.jsonb_agg(` + tableJSON("x") + ` || pg_catalog.jsonb_build_object('restricted', ` + policySQL("NOT y.polpermissive") + `,
'policies', (SELECT pg_catalog.jsonb_agg(y.polname) FROM (SELECT y.polname FROM pg_catalog.pg_policy y WHERE y.polrelid = x.oid AND pg_catalog.starts_with(y.polname::text, ` + quote.Literal(facts.PolicyPrefix) + `) LIMIT ` + limit + `) y)))
FROM (SELECT * FROM secured ORDER BY nspname, relname LIMIT ` + troubles + `) x),
'row_security', pg_catalog.current_setting('row_security'),
'troubles', (SELECT pg_catalog.jsonb_agg(` + tableJSON("x") + ` || pg_catalog.jsonb_build_object('kind', x.kind, 'identity', x.relreplident, 'oids', pg_catalog.jsonb_build_object(
'oid', x.oid::bigint, 'root', x.root::bigint, 'sender', x.sender::bigint, 'entry', x.entry::bigint, 'filter', x.kind = 'filter')))
FROM (VALUES ('missing'), ('unpublished'), ('generated'), ('filter')) k (kind) CROSS JOIN LATERAL (
SELECT t.kind, t.entry, t.sender, n.* FROM troubled t JOIN node n ON n.oid = t.oid CROSS JOIN scope s
WHERE s.something AND t.kind = k.kind ORDER BY n.nspname, n.relname LIMIT ` + troubles + `) x),
'totals', (SELECT pg_catalog.jsonb_build_object('unreadable', c.unreadable, 'owners', c.owners, 'secured', (SELECT pg_catalog.count(*) FROM secured),
'column_lists', (SELECT pg_catalog.count(*) FROM entry e WHERE e.columns IS NOT NULL))
|| COALESCE((SELECT pg_catalog.jsonb_object_agg(x.kind, x.n) FROM (SELECT t.kind, pg_catalog.count(*) AS n FROM troubled t GROUP BY 1) x), '{}'))))::text
FROM (SELECT pg_catalog.count(*) AS sent, pg_catalog.count(*) FILTER (WHERE NOT t.readable) AS unreadable,
pg_catalog.count(DISTINCT t.relowner) FILTER (WHERE NOT t.readable) AS owners FROM sent t) c`
}
