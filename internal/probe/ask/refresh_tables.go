package ask

import (
	"bytes"
	"context"
	"strconv"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
)

const (
	// maxListBytes bounds a list as JSON: the API promises at most 5 MB, and measures it
	// when it is encoded.
	maxListBytes = 5_000_000
	// minTableBytes is the least that a table takes as JSON, without its names.
	minTableBytes = 64
	// maxListRead bounds what is read for a list: a row is shorter than its JSON.
	maxListRead = maxListBytes + 1<<20
)

// ListTables returns the tables of the publication, ordered by schema and name, as many
// as fit into the list. It reports false if they could not be read; the evidence says
// why.
func (s *Session) ListTables(ctx context.Context) (database.Tables, bool) {
	tables, err := s.listTables(ctx)
	if err != nil {
		s.unanswered(facts.PartTableList, err)
	}
	return tables, err == nil
}

func (s *Session) listTables(ctx context.Context) (database.Tables, error) {
	s.allow(maxListRead, maxListBytes/minTableBytes)
	result, err := s.run(listSQL(s.host.Slot.PublicationName), s.host.tablesTimeout(ctx))
	if err != nil {
		return database.Tables{}, err
	}
	out := database.Tables{Tables: make([]database.Table, 0, len(result.Rows))}
	for _, row := range result.Rows {
		if len(row) != 5 || len(row[2]) > len("default") {
			return database.Tables{}, errShape
		}
		out.Tables = append(out.Tables, database.Table{
			Schema: printable(row[0]), Name: printable(row[1]), ReplicaIdentity: string(row[2]), Readable: string(row[3]) == "t",
		})
		out.Truncated = string(row[4]) == "t"
	}
	return out, nil
}

// printable returns a name as valid UTF-8, which it is unless the database has no
// encoding.
func printable(name []byte) string { return string(bytes.ToValidUTF8(name, []byte("\uFFFD"))) }

// listSQL selects the tables that fit into a list, and whether the list ends with this
// one although there are more.
func listSQL(publication string) string {
	limit := strconv.Itoa(maxListBytes)
	return publishedSQL(publication) + `
SELECT x.nspname, x.relname, CASE x.relreplident WHEN 'd' THEN 'default' WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full' WHEN 'i' THEN 'index' END,
pg_catalog.has_schema_privilege(x.relnamespace, 'USAGE') AND x.readable, x.size >= ` + limit + `
FROM (SELECT t.*, pg_catalog.sum(t.own) OVER (ORDER BY t.nspname, t.relname ROWS UNBOUNDED PRECEDING) AS size
FROM (SELECT t.*, ` + strconv.Itoa(minTableBytes) + ` + pg_catalog.octet_length(t.nspname::text) + pg_catalog.octet_length(t.relname::text) AS own FROM sent t) t) x
WHERE x.size - x.own < ` + limit + ` ORDER BY 1, 2`
}
