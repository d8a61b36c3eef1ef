package verdicts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/headgate/headgate/internal/database"
)

// observation is what a consumer and the application met with.
type observation struct {
	login, start, stream, ordinary error // nil where it worked
	// withTLS is whether the login works over TLS where it did not without.
	withTLS bool
	// skipped is whether changes were left out for want of the publication.
	skipped   bool
	published []publishedTable
	// unreadable are published tables that are none of the scene's.
	unreadable []string
	tables     []tableObservation
	facts      facts
}

// tableObservation is what was met with at one table of the scene.
type tableObservation struct {
	tag       string
	published bool
	// root is whether it is a partitioned table that the publication has as a whole.
	root    bool
	failed  map[string]error  // by operation
	lost    map[string]string // operations whose change did not come: why it should have
	renamed map[string]string // operations whose change came under another name
	copies  []copyObservation
	// nameless is whether a delete came that does not say of which row.
	nameless bool
}

type copyObservation struct {
	relation   string
	err        error
	rows, want int64
}

// publishedTable is a row of pg_publication_tables.
type publishedTable struct {
	Schema    string   `json:"schemaname"`
	Name      string   `json:"tablename"`
	Columns   []string `json:"attnames"`
	RowFilter string   `json:"rowfilter"`
}

func (p publishedTable) qualified() string { return quote(p.Schema) + "." + quote(p.Name) }

// consume does what a consumer does, and what the application does meanwhile. An
// error is one of the suite's, not something that a consumer met with.
func (w *world) consume(ctx context.Context) (*observation, error) {
	o, c := &observation{}, &consumer{}
	if err := w.lookAtFacts(ctx, o); err != nil {
		return nil, err
	}
	c.conn, o.login = login(ctx, w.target.Endpoint, w.target.Passwords.Main.Reveal(), map[string]string{"replication": "database"})
	if o.login == nil {
		defer c.conn.Close(ctx)
		o.start = c.start(ctx, w.target.Slot)
	} else if !w.target.Endpoint.SSL {
		o.withTLS = letsInWithTLS(ctx, w.target.Endpoint, w.target.Passwords.Main.Reveal(), map[string]string{"replication": "database"})
	}
	if err := w.lookAtPublication(ctx, o); err != nil {
		return nil, err
	}
	reader, err := w.reader(ctx, o)
	if err == nil {
		defer reader.Close(ctx)
	}
	rows, err := w.work(ctx, o, reader)
	if err != nil {
		return nil, err
	}
	if o.login == nil && o.start == nil {
		if o.stream, err = w.stream(ctx, c); err != nil {
			return nil, err
		}
		if o.stream == nil {
			o.skipped = c.skipped
			w.match(o, c.events, rows)
		}
	}
	return o, w.lookAtRoots(ctx, o)
}

// reader is a session for copies: an ordinary one, or where that is refused one for
// replication, as Postgres's own subscriptions use.
func (w *world) reader(ctx context.Context, o *observation) (*pgconn.PgConn, error) {
	conn, err := login(ctx, w.target.Endpoint, w.target.Passwords.Main.Reveal(), nil)
	o.ordinary = err
	switch {
	case o.withTLS: // the checks go on over TLS
		e := w.target.Endpoint
		e.SSL = true
		return login(ctx, e, w.target.Passwords.Main.Reveal(), nil)
	case err == nil || o.login != nil:
		return conn, err
	}
	return login(ctx, w.target.Endpoint, w.target.Passwords.Main.Reveal(), map[string]string{"replication": "database"})
}

func letsInWithTLS(ctx context.Context, e database.Endpoint, password string, params map[string]string) bool {
	e.SSL = true
	conn, err := login(ctx, e, password, params)
	if err != nil {
		return false
	}
	return conn.Close(ctx) == nil
}

func (w *world) lookAtPublication(ctx context.Context, o *observation) error {
	text, err := w.ask(ctx, w.lease.primary, w.database(),
		"SELECT coalesce(jsonb_agg(to_jsonb(pt)), '[]') FROM pg_publication_tables pt WHERE pubname = "+literal(w.target.Slot.PublicationName))
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), &o.published)
}

// work does the application's statements in every table, and copies what is
// published. It returns the row that each table's statements were about.
func (w *world) work(ctx context.Context, o *observation, reader *pgconn.PgConn) (map[string]int64, error) {
	app, err := connect(ctx, w.lease.primary, w.names.database, nil)
	if err != nil {
		return nil, err
	}
	defer app.Close(ctx)
	if err := execute(ctx, app, "SET default_transaction_read_only = off", "SET SESSION AUTHORIZATION "+quote(w.names.owner)); err != nil {
		return nil, err
	}
	rows := map[string]int64{}
	for _, t := range w.tables() {
		to := tableObservation{tag: t.tag, failed: map[string]error{}, lost: map[string]string{}, renamed: map[string]string{}}
		w.row += 2
		rows[t.tag] = w.row
		if err := execute(ctx, app, t.operations(w.row - 1)[0].sql); err != nil { // a row that stays
			return nil, err
		}
		for _, op := range t.operations(w.row) {
			if err := execute(ctx, app, op.sql); err != nil {
				if stateOf(err) == "" {
					return nil, err
				}
				to.failed[op.name] = err
			}
		}
		o.tables = append(o.tables, to)
	}
	if err := w.caughtUp(ctx); err != nil {
		return nil, err
	}
	if err := w.copyAll(ctx, o, reader); err != nil {
		return nil, err
	}
	for i, t := range w.tables() {
		if err := execute(ctx, app, t.sql("TRUNCATE {t}")); err != nil {
			o.tables[i].failed["truncate"] = err
		}
	}
	return rows, nil
}

// copyAll copies every published table, as a backfill would.
func (w *world) copyAll(ctx context.Context, o *observation, reader *pgconn.PgConn) error {
	for _, p := range o.published {
		i := o.tableOf(p)
		if i >= 0 {
			o.tables[i].published = true
		}
		if reader == nil {
			continue
		}
		c, err := w.copy(ctx, p, reader)
		if err != nil {
			return err
		}
		if i >= 0 {
			o.tables[i].copies = append(o.tables[i].copies, c)
		} else if stateOf(c.err) == "42501" {
			o.unreadable = append(o.unreadable, c.relation)
		}
	}
	return nil
}

// copy copies one table, and counts the rows that there are.
func (w *world) copy(ctx context.Context, p publishedTable, reader *pgconn.PgConn) (copyObservation, error) {
	c := copyObservation{relation: p.qualified()}
	columns := "*"
	if p.Columns != nil {
		quoted := make([]string, len(p.Columns))
		for j, name := range p.Columns {
			quoted[j] = quote(name)
		}
		columns = strings.Join(quoted, ", ")
	}
	kind, err := w.ask(ctx, w.lease.primary, w.database(), "SELECT relkind FROM pg_class WHERE oid = to_regclass("+literal(p.qualified())+")")
	if err != nil {
		return c, err
	}
	from := " FROM " + p.qualified()
	if kind != "p" {
		from = " FROM ONLY " + p.qualified()
	}
	if p.RowFilter != "" {
		from += " WHERE " + p.RowFilter
	}
	tag, err := reader.CopyTo(ctx, io.Discard, "COPY (SELECT "+columns+from+") TO STDOUT")
	if err != nil && stateOf(err) == "" {
		return c, err
	}
	c.err, c.rows = err, tag.RowsAffected()
	if want, err := w.ask(ctx, w.lease.target(), w.database(), "SELECT count(*)"+from); err == nil {
		if c.want, err = strconv.ParseInt(want, 10, 64); err != nil {
			return c, err
		}
	}
	return c, nil
}

// tableOf is the index of the scene's table that p is, or is a part of; -1 for
// none.
func (o *observation) tableOf(p publishedTable) int {
	for i, t := range o.tables {
		if strings.HasPrefix(p.Name, t.tag) {
			return i
		}
	}
	return -1
}

// database is the database that the target names, the scene's own where there is
// none of that name.
func (w *world) database() string {
	if name := w.target.Endpoint.Database; name == w.names.otherDatabase {
		return name
	}
	return w.names.database
}

// tables are the scene's tables, none where the target is another database.
func (w *world) tables() []table {
	if w.database() != w.names.database {
		return nil
	}
	return w.plan.tables
}

// stream reads all that was committed; the first error is what a consumer met with.
func (w *world) stream(ctx context.Context, c *consumer) (met, err error) {
	text, err := w.ask(ctx, w.lease.primary, "postgres", "SELECT pg_current_wal_flush_lsn()")
	if err != nil {
		return nil, err
	}
	position, err := pglogrepl.ParseLSN(text)
	if err != nil {
		return nil, err
	}
	// A record after the position, so that the server reads beyond it.
	if _, err := w.ask(ctx, w.lease.primary, w.database(), "SELECT pg_logical_emit_message(true, 'verdicts', '')"); err != nil {
		return nil, err
	}
	if err := w.caughtUp(ctx); err != nil {
		return nil, err
	}
	met = c.readTo(ctx, position)
	if ctx.Err() != nil {
		return nil, errors.Join(met, ctx.Err())
	}
	return met, nil
}

// match compares what came with what was done.
func (w *world) match(o *observation, events []event, rows map[string]int64) {
	for i, t := range w.tables() {
		to := &o.tables[i]
		if !to.published || t.inherited() && !o.sends(t) {
			continue
		}
		for _, op := range append(t.operations(rows[t.tag]), operation{name: "truncate"}) {
			if to.failed[op.name] == nil {
				to.expect(t, events, op.name, rows[t.tag])
			}
		}
		if n := w.pendingRows[t.tag]; n > 0 && w.expectsPending(t) {
			to.expect(t, events, "pending insert", n)
		}
	}
}

// sends reports whether one of the tables that get t's rows is published.
func (o *observation) sends(t table) bool {
	return slices.ContainsFunc(o.published, func(p publishedTable) bool {
		return slices.ContainsFunc(t.leaves, func(leaf string) bool { return p.Name == t.sql(leaf) })
	})
}

// expectsPending reports whether the publication sends the pending change.
func (w *world) expectsPending(t table) bool { return t.pending == "" }

func (to *tableObservation) expect(t table, events []event, operation string, n int64) {
	name := strings.TrimPrefix(operation, "pending ")
	under, nameless := "", false
	for _, e := range events {
		if e.operation != name || !strings.Contains(e.relation, t.tag) {
			continue
		}
		// A generated key is one more than id.
		key := name == "delete" && strings.Contains(e.values, fmt.Sprint(n+1))
		if name == "truncate" || key || strings.Contains(e.values, fmt.Sprint(n)) {
			under = e.relation
			if under == t.qualified() {
				return
			}
		}
		nameless = nameless || name == "delete" && strings.TrimSpace(e.values) == ""
	}
	if under == "" && nameless {
		to.nameless = true
		return
	}
	if under == "" {
		to.lost[operation] = "the change did not come"
		return
	}
	to.renamed[operation] = under
}
