package ask

import (
	"bytes"
	"context"
	"strconv"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
)

const (
	// minTableBytes is less than a table takes as JSON, without its names.
	minTableBytes = 64
	// maxListRead bounds what is read for a list: a row is shorter than its JSON.
	maxListRead = database.MaxListBytes + 1<<20
)

// ListTables passes the tables of the publication to add, ordered by schema and name,
// until it returns false. It keeps none of them. If they could not be read, the evidence
// says why.
func (s *Session) ListTables(ctx context.Context, add func(database.Table) bool) {
	s.allow(maxListRead, database.MaxListBytes/minTableBytes)
	more := true
	err := s.each(listSQL(s.host.Slot.PublicationName), s.host.tablesTimeout(ctx), func(row [][]byte) error {
		if len(row) != 4 || len(row[2]) > len("default") {
			return errShape
		}
		more = more && add(database.Table{
			Schema: printable(row[0]), Name: printable(row[1]), ReplicaIdentity: string(row[2]), Readable: string(row[3]) == "t",
		})
		return nil
	})
	if err != nil {
		s.unanswered(facts.PartTableList, err)
	}
}

// printable returns a name as valid UTF-8, which it is unless the database has no
// encoding.
func printable(name []byte) string { return string(bytes.ToValidUTF8(name, []byte("\uFFFD"))) }

// listSQL selects the tables that may fit into a list, by the least that they take
// there, and one that does not if there are more.
func listSQL(publication string) string {
	limit := strconv.Itoa(database.MaxListBytes)
	return publishedSQL(publication) + `
SELECT x.nspname, x.relname, CASE x.relreplident WHEN 'd' THEN 'default' WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full' WHEN 'i' THEN 'index' END,
pg_catalog.has_schema_privilege(x.relnamespace, 'USAGE') AND x.readable
FROM (SELECT t.*, pg_catalog.sum(t.own) OVER (ORDER BY t.nspname, t.relname ROWS UNBOUNDED PRECEDING) AS size
FROM (SELECT t.*, ` + strconv.Itoa(minTableBytes) + ` + pg_catalog.octet_length(t.nspname::text) + pg_catalog.octet_length(t.relname::text) AS own FROM sent t) t) x
WHERE x.size - x.own <= ` + limit + ` ORDER BY 1, 2`
}
