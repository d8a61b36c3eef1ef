package ask

import (
	"encoding/json"

	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

// askForRemedies asks for what the fixes of the tables' troubles need. It is asked for
// only if there are troubles, so that the statement about the tables stays short: a
// flight of more than 14 kB takes a round trip more.
func (s *Session) askForRemedies() {
	if t := s.host.Evidence.Facts.Tables; t != nil {
		s.addRemedies(t.Troubles)
	}
	if c := s.host.Evidence.Facts.Creation; c != nil {
		s.addRemedies(c.Unsafe)
	}
}

func (s *Session) addRemedies(troubles []facts.Trouble) {
	if len(troubles) == 0 || s.conn.IsClosed() {
		return
	}
	remedies, err := s.remedies(troubles)
	if err != nil || len(remedies) != len(troubles) {
		return // the findings then have no fix that is a statement
	}
	for i := range troubles {
		if r := remedies[i]; remedyBounded(r) {
			troubles[i].Remedy = &r
		}
	}
}

func (s *Session) remedies(troubles []facts.Trouble) ([]facts.Remedy, error) {
	sql, err := remediesSQL(troubles)
	if err != nil {
		return nil, err
	}
	result, err := s.run(sql, statementTimeout)
	if err != nil {
		return nil, err
	}
	if len(result.Rows) != 1 || len(result.Rows[0]) != 1 {
		return nil, errShape
	}
	var remedies []facts.Remedy
	return remedies, json.Unmarshal(result.Rows[0][0], &remedies)
}

// remediesSQL selects a JSON array with an element for each of troubles, x. sender is
// the table in the publication that the columns and the filter belong to. key is the
// index that suits best as the replica identity: for a filter one that has its columns,
// otherwise one whose columns are published. With it, updates may not fail for another
// publication that has the table. full is whether REPLICA IDENTITY FULL
// makes no publication with a column list fail, and from 18 on none with a generated
// column.
func remediesSQL(troubles []facts.Trouble) (string, error) {
	const keys = `(i.indkey::int2[])[0:i.indnkeyatts - 1]`
	given := make([]facts.TroubleOIDs, len(troubles))
	for i, t := range troubles {
		given[i] = t.OIDs
	}
	list, err := json.Marshal(given)
	if err != nil {
		return "", err
	}
	published := columnsSQL("x.sender", "x.columns")
	filterColumns := `(SELECT pg_catalog.jsonb_agg(f.attname) FROM (` + filterColumnsSQL("x.entry", "x.sender", "x.columns") + `) f)`
	return `SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
'sender', (SELECT ` + tableJSON("c") + ` FROM (SELECT n.nspname, c.relname, c.relowner FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = x.sender) c),
'columns', ` + published + `,
'identity_columns', ` + columnsSQL("x.oid", "x.keys") + `,
'filter', (SELECT f.text FROM (SELECT NULL::pg_catalog.pg_node_tree AS prqual) absent CROSS JOIN LATERAL (
SELECT pg_catalog.pg_get_expr(prqual, r.prrelid) AS text FROM pg_catalog.pg_publication_rel r WHERE r.oid = x.entry) f),
'filter_columns', ` + filterColumns + `,
'unlistable', x.too_old AND EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = x.oid AND a.attgenerated <> '' AND x.keys @> pg_catalog.to_jsonb(a.attnum)),
'virtual', EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = x.oid AND a.attgenerated = 'v' AND NOT a.attisdropped),
'key', (SELECT pg_catalog.jsonb_build_object('name', i.relname, 'primary', i.indisprimary, 'columns', i.columns)
FROM (SELECT c.relname, i.indisprimary, i.indnkeyatts, ` + columnsSQL("x.oid", "pg_catalog.to_jsonb("+keys+")") + ` AS columns
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = x.oid AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = x.oid AND a.attnum = ANY (` + keys + `)
AND (NOT a.attnotnull OR a.attgenerated <> '' AND (x.columns IS NULL OR x.too_old)))) i
WHERE NOT EXISTS (SELECT FROM (` + othersSQL() + `) o WHERE NOT COALESCE(i.columns <@ o.columns, true) OR NOT COALESCE(i.columns @> o.filter, true))
ORDER BY CASE WHEN x.filtered THEN i.columns @> ` + filterColumns + ` ELSE i.columns <@ COALESCE(` + published + `, i.columns) END DESC,
i.indisprimary DESC, i.indnkeyatts, i.relname LIMIT 1),
'full', NOT EXISTS (SELECT FROM pg_catalog.pg_publication_rel r WHERE r.prrelid IN (x.oid, x.root, x.sender) AND pg_catalog.to_jsonb(r) ->> 'prattrs' IS NOT NULL)
AND (pg_catalog.current_setting('server_version_num')::int < 180000 OR NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = x.oid AND a.attgenerated <> '' AND NOT a.attisdropped)))
ORDER BY x.n)::text
FROM (SELECT l.*, i.keys, pg_catalog.current_setting('server_version_num')::int < 180000 AS too_old, NULLIF(pg_catalog.to_jsonb(r) -> 'prattrs', 'null') AS columns
FROM (SELECT (l.e ->> 'oid')::oid AS oid, (l.e ->> 'root')::oid AS root, (l.e ->> 'sender')::oid AS sender, (l.e ->> 'entry')::oid AS entry, (l.e ->> 'filter')::bool AS filtered, l.n
FROM pg_catalog.jsonb_array_elements(` + quote.RawLiteral(string(list)) + `) WITH ORDINALITY l (e, n)) l
LEFT JOIN pg_catalog.pg_publication_rel r ON r.oid = l.entry
LEFT JOIN LATERAL (SELECT pg_catalog.to_jsonb(` + keys + `) AS keys FROM pg_catalog.pg_class c JOIN pg_catalog.pg_index i ON i.indrelid = c.oid
AND i.indisvalid AND i.indimmediate AND (c.relreplident = 'd' AND i.indisprimary OR c.relreplident = 'i' AND i.indisreplident) WHERE c.oid = l.oid) i ON true) x`, nil
}

// othersSQL selects the column lists and the columns of the row filters that other rows of
// pg_publication_rel have for x or one of its partitioned ancestors, null without one.
// Publications of inserts alone make no update fail.
func othersSQL() string {
	list := "NULLIF(o.row -> 'prattrs', 'null')"
	return `SELECT ` + columnsSQL("o.relid", list) + ` AS columns,
(SELECT pg_catalog.jsonb_agg(f.attname) FROM (` + filterColumnsSQL("o.oid", "o.relid", list) + `) f) AS filter
FROM (SELECT r.oid, r.prrelid AS relid, pg_catalog.to_jsonb(r) AS row
FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid AND (p.pubupdate OR p.pubdelete)
WHERE (r.prrelid = x.oid OR r.prrelid IN (SELECT a.relid FROM pg_catalog.pg_partition_ancestors(x.oid) a)) AND r.oid IS DISTINCT FROM x.entry) o`
}
