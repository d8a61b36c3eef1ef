package verdicts_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/localrun"
	"github.com/headgate/headgate/internal/testkit/pgbouncer"
	"github.com/headgate/headgate/internal/testkit/pgserver"
)

// names are what the scene's objects are called, unlike those of any other scene
// in this process.
type names struct{ id, role, owner, group, database, otherDatabase, slot, publication string }

var scenes atomic.Int64

func newNames(odd string) names {
	id := fmt.Sprint(scenes.Add(1))
	return names{
		id: id, role: "cdc_" + id + odd, owner: "app_" + id, group: "group_" + id,
		database: "db_" + id + odd, otherDatabase: "otherdb_" + id, slot: "slot_" + id, publication: "pub_" + id,
	}
}

// world is a scene that was made.
type world struct {
	scene  scene
	plan   *plan
	names  names
	lease  *lease
	target database.Target
	// script is what was executed, as a person would repeat it.
	script     []string
	held       []*pgconn.PgConn
	pooler     *pgbouncer.PgBouncer // nil for none
	closedPort int
	row        int64
	// pendingRows are the rows, by table, whose changes wait in the slot; nil before
	// they are made.
	pendingRows map[string]int64
	settings    []string // changed by ALTER SYSTEM
	// again are the steps that a restart undoes.
	again []func(context.Context, *world) error
	// release ends what is in headgate's way and not in a consumer's.
	release func(context.Context) error
}

// make makes the scene on the lease's server.
func (s scene) make(ctx context.Context, l *lease, major int) (*world, error) {
	p := s.plan(major)
	w := &world{scene: s, plan: p, names: newNames(p.odd), lease: l, row: 100_000_000}
	var err error
	if w.closedPort, err = localrun.FreePort(); err != nil {
		return nil, err
	}
	w.target = database.Target{
		Endpoint: database.Endpoint{
			Hostname: "127.0.0.1", Port: l.target().Port(), SSL: true, Database: w.names.database, Username: w.names.role,
		},
		Passwords: database.Passwords{Main: database.Password(w.plan.sent)},
		Slot:      database.Slot{PublicationName: w.names.publication, SlotName: w.names.slot, Status: database.SlotActive},
	}
	if err := l.certify(ctx, w.plan.certificate); err != nil {
		return w, err
	}
	// The lines of the scene before could keep a standby from its primary.
	if err := l.setHBA(ctx, []string{standardLine}); err != nil {
		return w, err
	}
	for _, st := range w.plan.all() {
		if st.phase > pendingPhase && w.plan.pending && w.pendingRows == nil {
			if err := w.makePending(ctx); err != nil {
				return w, err
			}
		}
		if err := w.step(ctx, st); err != nil {
			return w, err
		}
	}
	if w.plan.pending && w.pendingRows == nil {
		if err := w.makePending(ctx); err != nil {
			return w, err
		}
	}
	lines := make([]string, len(w.plan.hba))
	for i, line := range w.plan.hba {
		lines[i] = w.fill(line)
	}
	w.script = append(w.script, "-- pg_hba.conf: "+strings.Join(lines, "; "))
	if err := l.setHBA(ctx, lines); err != nil {
		return w, err
	}
	for _, change := range w.plan.endpoint {
		change(w, &w.target)
	}
	return w, w.caughtUp(ctx)
}

func (w *world) step(ctx context.Context, st step) error {
	if st.do != nil {
		w.script = append(w.script, "-- (a step in Go: what a session holds)")
		return st.do(ctx, w)
	}
	at, as, server := w.names.database, "", w.lease.primary
	if st.at != "" {
		at = w.bare(st.at)
	}
	if st.owner {
		as = w.names.owner
	}
	sql := w.fill(st.sql)
	w.script = append(w.script, fmt.Sprintf("%s; -- in %s as %s", sql, at, orSuperuser(as)))
	if rest, ok := strings.CutPrefix(sql, "ALTER SYSTEM SET "); ok {
		name, _, _ := strings.Cut(rest, " ")
		w.settings = append(w.settings, name)
	}
	if st.slotServer && w.lease.standby != nil && w.plan.major < 16 {
		return nil // a standby can't have one
	}
	if st.slotServer && w.lease.standby != nil {
		return w.onStandby(ctx, at, sql)
	}
	return w.run(ctx, server, at, as, sql)
}

func orSuperuser(role string) string {
	if role == "" {
		return "postgres"
	}
	return role
}

// onStandby runs what makes a slot on the standby, which waits for the primary to
// log what transactions run.
func (w *world) onStandby(ctx context.Context, at, sql string) error {
	if err := w.caughtUp(ctx); err != nil {
		return err
	}
	made := make(chan error, 1)
	go func() { made <- w.run(ctx, w.lease.standby, at, "", sql) }()
	for {
		if _, err := w.lease.primary.Exec(ctx, "postgres", "SELECT pg_log_standby_snapshot()"); err != nil {
			return err
		}
		select {
		case err := <-made:
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// caughtUp waits until the standby has what the primary has.
func (w *world) caughtUp(ctx context.Context) error {
	if w.lease.standby == nil {
		return nil
	}
	return pgserver.WaitForReplay(ctx, w.lease.primary, w.lease.standby)
}

// makePending makes one change in every table.
func (w *world) makePending(ctx context.Context) error {
	w.pendingRows = map[string]int64{}
	for _, t := range w.plan.tables {
		w.row++
		w.pendingRows[t.tag] = w.row
		sql := t.pendingInsert(w.row)
		w.script = append(w.script, sql+"; -- in "+w.names.database+" as "+w.names.owner)
		if err := w.run(ctx, w.lease.primary, w.names.database, w.names.owner, sql); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) fill(sql string) string {
	return strings.NewReplacer("{role}", quote(w.names.role), "{owner}", quote(w.names.owner), "{group}", quote(w.names.group),
		"{db}", quote(w.names.database), "{otherdb}", quote(w.names.otherDatabase), "{slot}", literal(w.names.slot),
		"{pub}", quote(w.names.publication), "{password}", unicodeLiteral(w.plan.created), "{id}", w.names.id).Replace(sql)
}

// bare is the name of a database that a step gives.
func (w *world) bare(at string) string {
	if at == "{otherdb}" {
		return w.names.otherDatabase
	}
	return at
}

// unicodeLiteral writes what is not ASCII by its code point, so that a script says
// what is in it.
func unicodeLiteral(text string) string {
	var b strings.Builder
	for _, r := range strings.NewReplacer(`\`, `\\`, "'", "''").Replace(text) {
		if r < ' ' || r > '~' {
			fmt.Fprintf(&b, `\+%06x`, r)
			continue
		}
		b.WriteRune(r)
	}
	if !strings.Contains(b.String(), `\`) {
		return "'" + b.String() + "'"
	}
	return "U&'" + b.String() + "'"
}

// connect opens a session of the superuser's over the socket.
func connect(ctx context.Context, s *pgserver.Server, db string, params map[string]string) (*pgconn.PgConn, error) {
	config, err := pgconn.ParseConfig("user=postgres sslmode=disable target_session_attrs=any")
	if err != nil {
		return nil, err
	}
	config.Host, config.Port, config.Database = s.SocketDirectory(), uint16(s.Port()), db
	config.Fallbacks, config.RuntimeParams = nil, maps.Clone(params)
	if s.Installation().Major >= 17 && params["replication"] == "" {
		if config.RuntimeParams == nil {
			config.RuntimeParams = map[string]string{}
		}
		config.RuntimeParams["event_triggers"] = "off" // a login trigger would keep the suite out of a standby
	}
	// A GRANT by somebody who has nothing to give succeeds with a warning.
	config.OnNotice = func(conn *pgconn.PgConn, n *pgconn.Notice) {
		if n.Code == "01007" {
			conn.CustomData()[n.Code] = (*pgconn.PgError)(n)
		}
	}
	return pgconn.ConnectConfig(ctx, config)
}

func execute(ctx context.Context, conn *pgconn.PgConn, statements ...string) error {
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql).ReadAll(); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
		if err, ok := conn.CustomData()["01007"].(*pgconn.PgError); ok {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// run runs statements one by one in a session of the superuser's, as a role if it
// is given.
func (w *world) run(ctx context.Context, s *pgserver.Server, db, as string, statements ...string) error {
	conn, err := connect(ctx, s, db, map[string]string{"default_transaction_read_only": "off"})
	if err != nil {
		return err
	}
	if as != "" {
		statements = append([]string{"SET SESSION AUTHORIZATION " + quote(as)}, statements...)
	}
	err = execute(ctx, conn, statements...)
	return errors.Join(err, conn.Close(ctx))
}

// hold opens a session that stays until the scene ends.
func (w *world) hold(ctx context.Context, db string, params map[string]string) (*pgconn.PgConn, error) {
	conn, err := connect(ctx, w.lease.primary, db, params)
	if err == nil {
		w.held = append(w.held, conn)
	}
	return conn, err
}

// ask returns what the superuser's query on the target's server answers.
func (w *world) ask(ctx context.Context, s *pgserver.Server, db, sql string) (string, error) {
	return s.Exec(ctx, db, sql)
}

// stateOf is the SQLSTATE of a server's error, empty where it is none.
func stateOf(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// remove takes the scene off the server; where that fails the server is not used
// again.
func (w *world) remove(ctx context.Context) {
	w.closeHeld(ctx)
	if w.pooler != nil {
		w.pooler.Stop()
	}
	if w.lease.dirty {
		return
	}
	if err := w.tryRemove(ctx); err != nil {
		w.lease.dirty = true
	}
}

func (w *world) closeHeld(ctx context.Context) {
	for _, conn := range w.held {
		_ = conn.Close(ctx) // a session that a fix ended is closed
	}
	w.held = nil
}

func (w *world) tryRemove(ctx context.Context) error {
	const drop = `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name <> '` + keptSlot + `' AND coalesce(NOT (to_jsonb(pg_replication_slots) ->> 'synced')::bool OR NOT pg_is_in_recovery(), true)`
	var statements []string
	for _, name := range w.settings {
		statements = append(statements, "ALTER SYSTEM RESET "+name)
	}
	statements = append(statements, "SELECT pg_terminate_backend(pid) FROM pg_replication_slots, pg_stat_activity WHERE active_pid = pid AND slot_name <> '"+keptSlot+"'",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ("+literal(w.names.database)+", "+literal(w.names.otherDatabase)+")")
	var errs []error
	if w.lease.standby != nil {
		errs = append(errs, w.run(ctx, w.lease.standby, "postgres", "", append(statements, drop)...))
	}
	statements = append(statements, drop, "DROP DATABASE IF EXISTS "+quote(w.names.database)+" WITH (FORCE)",
		"DROP DATABASE IF EXISTS "+quote(w.names.otherDatabase)+" WITH (FORCE)",
		"DROP ROLE IF EXISTS "+quote(w.names.role)+", "+quote(w.names.owner)+", "+quote(w.names.group))
	errs = append(errs, w.run(ctx, w.lease.primary, "postgres", "", statements...))
	if len(w.settings) > 0 {
		errs = append(errs, w.lease.reload(ctx))
	}
	return errors.Join(errs...)
}
