package ask

import (
	"strconv"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

const (
	// maxTables bounds the rows of a list.
	maxTables = 50_000
	// maxListBytes bounds a list as JSON: the API promises at most 5 MB.
	maxListBytes = 5_000_000
	// maxListRead bounds what is read for a list: a row is shorter than its JSON,
	// except for the protocol's overhead.
	maxListRead = 8 << 20
)

// ListTables returns the tables of the publication, ordered by schema and name. It
// reports false if they could not be read; the evidence says why.
func (s *Session) ListTables() (database.Tables, bool) {
	tables, err := s.listTables()
	if err != nil && !s.ended(err) {
		s.unanswered(facts.PartTableList, err)
	}
	return tables, err == nil
}

func (s *Session) listTables() (database.Tables, error) {
	s.allow(maxListRead, maxTables)
	result, err := s.run(listSQL(s.host.Slot.PublicationName), statementTimeout)
	if err != nil {
		return database.Tables{}, err
	}
	var out database.Tables
	size := 0
	for _, row := range result.Rows {
		if len(row) != 4 || len(row[2]) > len("default") {
			return database.Tables{}, errShape
		}
		t := database.Table{Schema: string(row[0]), Name: string(row[1]), ReplicaIdentity: string(row[2]), Readable: string(row[3]) == "t"}
		// A byte of a name takes up to six in JSON; the members' names take 70.
		if size += 6*(len(t.Schema)+len(t.Name)) + 90; size > maxListBytes {
			out.Truncated = true
			return out, nil
		}
		out.Tables = append(out.Tables, t)
	}
	out.Truncated = len(result.Rows) == maxTables
	return out, nil
}

func listSQL(publication string) string {
	return `SELECT n.nspname, c.relname,
CASE c.relreplident WHEN 'd' THEN 'default' WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full' WHEN 'i' THEN 'index' END,
pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
FROM pg_catalog.pg_publication_tables pt
JOIN pg_catalog.pg_namespace n ON n.nspname = pt.schemaname
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = pt.tablename
WHERE pt.pubname = ` + quote.RawLiteral(publication) + ` ORDER BY 1, 2 LIMIT ` + strconv.Itoa(maxTables)
}
