package ask

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

// The first versions with the things that a statement may use, as
// server_version_num.
const (
	versionViaRoot  = 130000
	versionFailover = 170000
)

// CreatePublication makes the publication that the request names, and records the
// outcome.
func (s *Session) CreatePublication(p database.NewPublication) {
	_, err := s.write(writeTimeout, writeLockTimeout, createPublicationSQL(s.host.Slot.PublicationName, p, s.version()))
	s.host.Evidence.Making.Publication = s.attempt(err, pgerrcode.DuplicateObject, pgerrcode.UniqueViolation)
}

func (s *Session) version() int {
	if server := s.host.Evidence.Facts.Server; server != nil {
		return server.Version
	}
	return 0
}

func createPublicationSQL(name string, p database.NewPublication, version int) string {
	sql := "CREATE PUBLICATION " + quote.RawIdentifier(name)
	switch {
	case len(p.Tables) > 0:
		tables := make([]string, len(p.Tables))
		for i, t := range p.Tables {
			tables[i] = quote.RawIdentifier(t.Schema) + "." + quote.RawIdentifier(t.Name)
		}
		sql += " FOR TABLE " + strings.Join(tables, ", ")
	case len(p.Schemas) > 0:
		schemas := make([]string, len(p.Schemas))
		for i, name := range p.Schemas {
			schemas[i] = quote.RawIdentifier(name)
		}
		sql += " FOR TABLES IN SCHEMA " + strings.Join(schemas, ", ")
	default:
		sql += " FOR ALL TABLES"
	}
	if p.ViaRoot && version >= versionViaRoot {
		sql += " WITH (publish_via_partition_root = true)"
	}
	return sql
}

// Drop drops the slot, the publication or both that the request names, if they exist, and
// records the outcomes. The dropping of a slot is not undone by a transaction: it comes
// last, so that nothing is dropped if something fails.
func (s *Session) Drop(slot, publication bool) {
	name := s.host.Slot
	dropPublication := "DROP PUBLICATION IF EXISTS " + quote.RawIdentifier(name.PublicationName)
	var statements []string
	if publication {
		statements = append(statements, dropPublication)
	}
	if slot {
		statements = append(statements, onSlots(), dropSlotSQL(name.SlotName))
	}
	_, err := s.write(writeTimeout, writeLockTimeout, statements...)
	attempt, making := s.attempt(err), facts.Making{}
	failed, _ := errors.AsType[statementError](err)
	if publication && (err == nil || failed.statement == dropPublication) {
		making.Publication = attempt
	}
	if slot && failed.statement != dropPublication {
		making.Slot = attempt
	}
	s.host.Evidence.Making = making
}

// onSlots begins statements about slots: as the role that logged in, and without the
// operators of its search_path, which whoever owns the database can set.
func onSlots() string {
	return "SELECT " + asSessionUser().sql() + ", " + setting{"search_path", "pg_catalog"}.sql()
}

// dropSlotSQL drops a slot of pgoutput in this database. One that is in use is an error.
func dropSlotSQL(name string) string {
	return "SELECT pg_catalog.pg_drop_replication_slot(s.slot_name) FROM pg_catalog.pg_replication_slots s WHERE s.slot_name = " + quote.Literal(name) +
		" AND s.slot_type = 'logical' AND s.plugin = 'pgoutput' AND s.database = pg_catalog.current_database()"
}

// pollInterval is the time between two looks at what another server does.
const pollInterval = 100 * time.Millisecond

// WaitForPublication waits until the standby has replayed the publication, and records
// the failure if it has not within limit.
func (s *Session) WaitForPublication(ctx context.Context, limit time.Duration) {
	ctx, done := context.WithTimeout(ctx, limit)
	defer done()
	for {
		result, err := s.run("SELECT EXISTS (SELECT FROM pg_catalog.pg_publication p WHERE p.pubname = "+quote.RawLiteral(s.host.Slot.PublicationName)+")", statementTimeout)
		switch {
		case err != nil:
			failure := s.failure(err)
			s.host.Evidence.Making.Replay = &failure
			return
		case len(result.Rows) == 1 && string(result.Rows[0][0]) == "t":
			return
		}
		if !wait(ctx, pollInterval) {
			s.host.Evidence.Making.Replay = &facts.Failure{Kind: facts.NotAnsweredInTime}
			return
		}
	}
}

// wait waits for d, and reports false if ctx ends before.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// LogSnapshots makes a primary log its running transactions again and again until ctx
// ends: the creation of a slot on a standby waits for such records, which are otherwise
// written every 15 seconds. It records if the role may not make the primary do that.
func (s *Session) LogSnapshots(ctx context.Context) {
	logSnapshot := s.logSnapshot
	for {
		err := logSnapshot()
		if sqlState(err) == pgerrcode.InsufficientPrivilege {
			logSnapshot = s.logSnapshotBySlot
			err = logSnapshot()
		}
		if err != nil {
			s.host.Evidence.Making.SnapshotDenied = true
			return
		}
		if !wait(ctx, pollInterval) {
			return
		}
	}
}

// logSnapshot needs a superuser, or a grant.
func (s *Session) logSnapshot() error {
	_, err := s.write(writeTimeout, writeLockTimeout, "SELECT pg_catalog.pg_log_standby_snapshot()")
	return err
}

// logSnapshotBySlot needs a role that may make slots: the creation of a logical slot
// begins with such a record. The slot is temporary, and dropped at once; open
// transactions would make it wait, for no use.
func (s *Session) logSnapshotBySlot() error {
	const enough = 300 * time.Millisecond
	name := quote.Literal("headgate_temporary_" + strconv.FormatUint(uint64(s.conn.PID()), 10))
	_, err := s.write(enough, enough, onSlots(), "SELECT pg_catalog.pg_create_logical_replication_slot("+name+", 'pgoutput', true)")
	if sqlState(err) == pgerrcode.QueryCanceled {
		return nil
	}
	if err == nil {
		_, err = s.write(writeTimeout, writeLockTimeout, onSlots(), "SELECT pg_catalog.pg_drop_replication_slot("+name+")")
	}
	return err
}

// sqlState returns the SQLSTATE of err, empty if it is not an error of the server.
func sqlState(err error) string {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.Code
	}
	return ""
}

// CreateSlot makes the slot that the request names within limit, and records the outcome.
// The server's own limit ends the wait for open transactions, and so does a cancel
// request if ctx ends, or if that limit does not work. Standbys before 16.10 and 17.6 may
// heed neither: then the session is given up, and the server drops the slot when the
// transactions have ended.
func (s *Session) CreateSlot(ctx context.Context, limit time.Duration) {
	const grace = 500 * time.Millisecond
	var made []*pgconn.Result
	var err error
	s.wire.readUntil(context.Background(), time.Now().Add(limit+2*grace))
	s.cancelling(ctx, limit+grace, func() {
		made, err = s.write(limit, limit, onSlots(), createSlotSQL(s.host.Slot.SlotName, s.version(), s.inRecovery()))
	})
	s.wire.readUntil(context.Background(), time.Now().Add(statementTimeout))
	if made != nil && !s.conn.IsClosed() {
		err = nil // a cancel request that came late does not undo the slot
	}
	s.host.Evidence.Making.Slot = s.attempt(err, pgerrcode.DuplicateObject)
}

// createSlotSQL makes a slot of pgoutput. From 17 on it is a failover slot if the server
// has standbys that synchronize slots: one of its workers is connected, other slots are
// failover slots, or synchronized_standby_slots names some. The primary has no other
// sign of them. A slot on a standby can't be one.
func createSlotSQL(name string, version int, standby bool) string {
	failover := ""
	if version >= versionFailover && !standby {
		failover = `, failover => EXISTS (SELECT FROM pg_catalog.pg_replication_slots s WHERE s.failover)
OR EXISTS (SELECT FROM pg_catalog.pg_settings g WHERE g.name = 'synchronized_standby_slots' AND g.setting <> '')
OR EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.application_name LIKE '%slotsync worker')`
	}
	return "SELECT pg_catalog.pg_create_logical_replication_slot(slot_name => " + quote.Literal(name) + ", plugin => 'pgoutput'" + failover + ")"
}

// Now returns the ID that the next transaction of the server gets, as text, empty if it
// can't be asked.
func (s *Session) Now() string {
	result, err := s.run(`SELECT (pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) % 4294967296)::text`, statementTimeout)
	if err != nil || len(result.Rows) != 1 || len(result.Rows[0]) != 1 {
		return ""
	}
	return string(result.Rows[0][0])
}

// AskForBlockers records which transactions have written and are open since before the
// one called before began.
func (s *Session) AskForBlockers(before string) {
	result, err := s.run(blockersSQL(before), statementTimeout)
	if err != nil || len(result.Rows) != 1 || len(result.Rows[0]) != 1 {
		return // the finding then names none
	}
	var b facts.Blockers
	if err := json.Unmarshal(result.Rows[0][0], &b); err == nil && len(b.Holders) <= maxBlockers && b.Check() == nil {
		s.host.Evidence.Making.Blockers = &b
	}
}

// maxBlockers bounds the transactions that are named.
const maxBlockers = 10

// blockersSQL goes by the locks on transaction IDs, which every role may see; since when
// a transaction is open is shown to its own role and to members of pg_read_all_stats.
func blockersSQL(before string) string {
	open := func(id string) string {
		return `pg_catalog.age(` + id + `) >= pg_catalog.age(` + quote.Literal(before) + `::xid)`
	}
	if before == "" {
		open = func(string) string { return "true" }
	}
	const since = `'YYYY-MM-DD"T"HH24:MI:SS"Z"'`
	return `SELECT pg_catalog.jsonb_build_object('total', pg_catalog.count(*),
'holders', pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('pid', COALESCE(x.pid, 0), 'role', COALESCE(x.role, ''), 'prepared', COALESCE(x.gid, ''),
'since', COALESCE(pg_catalog.to_char(x.since AT TIME ZONE 'UTC', ` + since + `), '')) ORDER BY x.n) FILTER (WHERE x.n <= ` + strconv.Itoa(maxBlockers) + `))::text
FROM (SELECT h.*, pg_catalog.row_number() OVER (ORDER BY h.since, h.pid, h.gid) AS n FROM (
SELECT l.pid, a.usename AS role, a.xact_start AS since, NULL AS gid
FROM (SELECT DISTINCT l.pid FROM pg_catalog.pg_locks l WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted
AND l.pid IS NOT NULL AND l.pid <> pg_catalog.pg_backend_pid() AND ` + open("l.transactionid") + `) l
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
UNION ALL SELECT NULL, p.owner, p.prepared, p.gid FROM pg_catalog.pg_prepared_xacts p WHERE ` + open("p.transaction") + `) h) x`
}

// newSlotSQL selects whether the role that logged in may execute the function that makes
// a slot, and what a slot that does not exist would wait for. Everybody may, unless an
// administrator has revoked it.
func newSlotSQL(name string) string {
	return `(SELECT pg_catalog.jsonb_build_object('may', pg_catalog.has_function_privilege(session_user, p.oid, 'EXECUTE'), 'function', p.oid::regprocedure::text,
'blockers', CASE WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots s WHERE s.slot_name = ` + quote.Literal(name) + `) THEN (` + blockersSQL("") + `)::jsonb END)
FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname = 'pg_create_logical_replication_slot')`
}
