package probe

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

const (
	// mostTables bounds the rows that are read of a list.
	mostTables = 50_000
	// mostListedBytes bounds a list in JSON: the API promises at most 5 MB.
	mostListedBytes = 5_000_000
	// mostListRead bounds what is read for it: a row is shorter than its JSON, but
	// for what the protocol puts around it.
	mostListRead = 8 << 20
)

// RefreshTables lists what t's publication holds now. It needs no walsender, so that
// none is taken.
func (p *Prober) RefreshTables(ctx context.Context, t database.Target) (database.Tables, check.Report) {
	ctx, cancel := context.WithTimeout(ctx, Time)
	defer cancel()
	l := login{endpoint: t.Endpoint, password: t.Passwords.Main}
	e := p.begin(ctx, &l, "hostname")
	wanted := slices.DeleteFunc(parts(t.Slot), func(q part) bool { return q.name != partPublication })
	s := p.enter(ctx, l, ordinary, wanted, &e)
	if s == nil {
		return database.Tables{}, judge(t, e, nil)
	}
	defer s.close()
	s.ask(wanted, &e)
	report := judge(t, e, nil)
	if _, failed := report.FirstFailure(); failed {
		return database.Tables{}, report
	}
	tables, err := s.listTables(t.Slot.PublicationName)
	if err != nil {
		if !s.gone(err, &e) {
			e.add(s.askFailure(part{name: "tables"}, err))
		}
		return database.Tables{}, judge(t, e, nil)
	}
	return tables, report
}

func (s *session) listTables(publication string) (database.Tables, error) {
	s.allow(mostListRead, mostTables)
	results, err := s.conn.Exec(context.Background(), listSQL(publication)).ReadAll()
	if err != nil {
		return database.Tables{}, err
	}
	if len(results) != 1 {
		return database.Tables{}, errors.New("the server's answer has another form than the question")
	}
	var out database.Tables
	size := 0
	for _, row := range results[0].Rows {
		if len(row) != 4 || len(row[2]) > len("default") {
			return database.Tables{}, errors.New("the server's answer has another form than the question")
		}
		t := database.Table{Schema: string(row[0]), Name: string(row[1]), ReplicaIdentity: string(row[2]), Readable: string(row[3]) == "t"}
		// Every byte of a name may take six in JSON; the members' names take 70.
		if size += 6*(len(t.Schema)+len(t.Name)) + 90; size > mostListedBytes {
			out.Truncated = true
			return out, nil
		}
		out.Tables = append(out.Tables, t)
	}
	out.Truncated = len(results[0].Rows) == mostTables
	return out, nil
}

func listSQL(publication string) string {
	return `SELECT n.nspname, c.relname,
CASE c.relreplident WHEN 'd' THEN 'default' WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full' WHEN 'i' THEN 'index' END,
pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
FROM pg_catalog.pg_publication_tables pt
JOIN pg_catalog.pg_namespace n ON n.nspname = pt.schemaname
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = pt.tablename
WHERE pt.pubname = ` + quoteLiteral(publication) + ` ORDER BY 1, 2 LIMIT ` + strconv.Itoa(mostTables)
}
