package ask

import (
	"strconv"

	"github.com/headgate/headgate/internal/probe/quote"
)

// tablesSQL selects the publication's tables that the role can't read (t), and
// those whose updates and deletes fail because they have no replica identity (l, with
// the leaf partitions in place of a partitioned table).
func tablesSQL(publication string) string {
	limit := strconv.Itoa(maxListed)
	return `(WITH t AS MATERIALIZED (
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relispartition,
pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS open, pg_catalog.has_table_privilege(c.oid, 'SELECT') AS readable
FROM pg_catalog.pg_publication_tables pt
JOIN pg_catalog.pg_namespace n ON n.nspname = pt.schemaname
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = pt.tablename
WHERE pt.pubname = ` + quote.RawLiteral(publication) + `),
l AS MATERIALIZED (
SELECT DISTINCT c.oid, n.nspname, c.relname FROM (
SELECT t.oid FROM t WHERE t.relkind <> 'p'
UNION ALL
SELECT pt.relid FROM t CROSS JOIN LATERAL pg_catalog.pg_partition_tree(t.oid) pt WHERE t.relkind = 'p' AND pt.isleaf) x
JOIN pg_catalog.pg_class c ON c.oid = x.oid AND c.relkind = 'r'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relreplident = 'n'
OR c.relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate AND i.indisvalid)
OR c.relreplident = 'i' AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisreplident AND i.indisvalid))
SELECT pg_catalog.jsonb_build_object(
'count', (SELECT pg_catalog.count(*) FROM t),
'partitions', (SELECT pg_catalog.count(*) FROM t WHERE t.relispartition),
'closed', (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(x.nspname)) FROM (SELECT DISTINCT t.nspname FROM t WHERE NOT t.open ORDER BY 1 LIMIT ` + limit + `) x),
'unreadable', (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(x.nspname, x.relname)) FROM (SELECT t.nspname, t.relname FROM t WHERE NOT t.readable ORDER BY 1, 2 LIMIT ` + limit + `) x),
'locked', (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(x.nspname)) FROM (SELECT DISTINCT t.nspname FROM t WHERE NOT t.readable ORDER BY 1 LIMIT ` + limit + `) x),
'no_identity', (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(x.nspname, x.relname)) FROM (SELECT l.nspname, l.relname FROM l ORDER BY 1, 2 LIMIT ` + limit + `) x),
'totals', pg_catalog.jsonb_build_object('unreadable', (SELECT pg_catalog.count(*) FROM t WHERE NOT t.readable), 'no_identity', (SELECT pg_catalog.count(*) FROM l))))`
}
