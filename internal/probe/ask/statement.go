package ask

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

// maxListed bounds the lists of names that the statement returns.
const maxListed = 20

// partSQL returns the expression of type jsonb that answers p about slot. All of it
// runs on PostgreSQL 12 and later: whole rows are read as JSON, so that a column
// that a version does not have is absent. There is no semicolon, dollar quote or
// comment in it: walsenders before 12.10, 13.6 and 14.2 are said to reject them.
func partSQL(p facts.Part, slot database.Slot) string {
	switch p {
	case facts.PartServer:
		return serverSQL()
	case facts.PartSettings:
		return settingsPartSQL()
	case facts.PartPublication:
		return publicationSQL(slot.PublicationName)
	case facts.PartSlot:
		return slotSQL(slot.SlotName)
	case facts.PartIdentity:
		return `(SELECT pg_catalog.to_jsonb(c.system_identifier::text) FROM pg_catalog.pg_control_system() c)`
	case facts.PartWALSenders:
		return `(SELECT pg_catalog.to_jsonb(pg_catalog.count(*)) FROM pg_catalog.pg_stat_get_wal_senders())`
	case facts.PartSlots:
		return slotsSQL(slot.SlotName)
	case facts.PartRowFilters:
		return rowFiltersSQL(slot.PublicationName)
	}
	if p == facts.PartNewSlot {
		return newSlotSQL(slot.SlotName)
	}
	return "NULL"
}

// hasStatement reports whether p has a statement of its own.
func hasStatement(p facts.Part) bool { return p == facts.PartTables || p == facts.PartCreation }

// statement returns one SELECT of one JSON document that has all of parts except those
// with statements of their own.
func statement(parts []facts.Part, slot database.Slot) string {
	var members []string
	for _, p := range parts {
		if !hasStatement(p) {
			members = append(members, quote.Literal(string(p))+", "+partSQL(p, slot))
		}
	}
	return "SELECT pg_catalog.jsonb_build_object(" + strings.Join(members, ", ") + ")::text"
}

// statementOf returns statement for p alone, which sql answers.
func statementOf(p facts.Part, sql string) string {
	return "SELECT pg_catalog.jsonb_build_object(" + quote.Literal(string(p)) + ", " + sql + ")::text"
}

// transactions returns what Ask runs on a session of that kind: the statement, and those
// about the tables and the new publication if they are asked for.
func (h *Host) transactions(ctx context.Context, kind facts.SessionKind) []transaction {
	all := []transaction{newTransaction(kind, statement(h.Parts, h.Slot), statementTimeout)}
	if slices.Contains(h.Parts, facts.PartTables) {
		all = append(all, newTransaction(kind, tablesSQL(h.Slot.PublicationName), h.tablesTimeout(ctx)))
	}
	if slices.Contains(h.Parts, facts.PartCreation) {
		all = append(all, newTransaction(kind, creationSQL(h.Slot.PublicationName, *h.Publication), h.tablesTimeout(ctx)))
	}
	return all
}

// tablesTimeout returns the server's limit on the statement about the tables: most of
// the time that is left, because it grows with their number.
func (h *Host) tablesTimeout(ctx context.Context) time.Duration {
	if h.client.TablesTimeout > 0 {
		return h.client.TablesTimeout
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		return statementTimeout
	}
	left := time.Until(deadline)
	return left - left/4
}

// settings returns the names that are read from pg_settings. current_setting is not
// used: on 15 it raises 42501 for some of them, which fails the whole statement.
func settings() []string {
	return []string{
		"wal_level", "effective_wal_level", "max_wal_senders", "max_replication_slots", "hot_standby_feedback",
		"max_slot_wal_keep_size", "idle_replication_slot_timeout", "max_prepared_transactions", "allow_alter_system", "ssl",
		"rds.extensions", "rds.logical_replication", "cloudsql.logical_decoding", "azure.extensions", "neon.endpoint_id", "supautils.privileged_extensions",
	}
}

func settingsPartSQL() string {
	names := make([]string, 0, len(settings()))
	for _, n := range settings() {
		names = append(names, quote.Literal(n))
	}
	return `(SELECT pg_catalog.jsonb_object_agg(s.name, pg_catalog.jsonb_build_object('value', pg_catalog.left(s.setting, 100), 'source', s.source, 'context', s.context, 'pending_restart', s.pending_restart))
FROM pg_catalog.pg_settings s WHERE s.name IN (` + strings.Join(names, ", ") + `))`
}

func serverSQL() string {
	return `(SELECT pg_catalog.jsonb_build_object(
'version', pg_catalog.current_setting('server_version_num')::int,
'in_recovery', pg_catalog.pg_is_in_recovery(),
'database', d.datname, 'database_oid', d.oid::bigint,
'pid', pg_catalog.pg_backend_pid(),
'backend_type', (SELECT a.backend_type FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a),
'role', r.rolname, 'may_use_slots', r.rolsuper OR r.rolreplication,
'session_role', l.rolname, 'superuser', l.rolsuper, 'replication', l.rolreplication, 'role_limit', l.rolconnlimit, 'database_limit', d.datconnlimit,
'rds_replication', EXISTS (SELECT FROM pg_catalog.pg_roles g WHERE g.rolname = 'rds_replication' AND pg_catalog.pg_has_role(l.oid, g.oid, 'member')),
'aurora', pg_catalog.to_regproc('pg_catalog.aurora_version') IS NOT NULL)
FROM pg_catalog.pg_database d, pg_catalog.pg_roles r, pg_catalog.pg_roles l
WHERE d.datname = pg_catalog.current_database() AND r.rolname = current_user AND l.rolname = session_user)`
}

// plainServerSQL is serverSQL without pg_roles and pg_database, which some servers hide
// from most roles. What a walsender may do is proven by its login; of another session's
// role pg_user tells, if it is one that can log in.
func plainServerSQL(kind facts.SessionKind) string {
	attributes := `'may_use_slots', current_user = session_user, 'replication', true,
'superuser', pg_catalog.current_setting('is_superuser') = 'on' AND current_user = session_user,`
	from := `pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a`
	if kind != facts.WALSender {
		from += `, pg_catalog.pg_user l WHERE l.usename = session_user`
		attributes = `'may_use_slots', EXISTS (SELECT FROM pg_catalog.pg_user u WHERE u.usename = current_user AND (u.usesuper OR u.userepl)),
'superuser', l.usesuper, 'replication', l.userepl,
'rds_replication', COALESCE(pg_catalog.pg_has_role(session_user, pg_catalog.to_regrole('rds_replication'), 'member'), false),`
	}
	return `(SELECT pg_catalog.jsonb_build_object(
'version', pg_catalog.current_setting('server_version_num')::int,
'in_recovery', pg_catalog.pg_is_in_recovery(),
'database', pg_catalog.current_database(), 'database_oid', a.datid::bigint,
'pid', a.pid, 'backend_type', a.backend_type,
'role', current_user, 'session_role', session_user, ` + attributes + `
'aurora', pg_catalog.to_regproc('pg_catalog.aurora_version') IS NOT NULL) FROM ` + from + `)`
}

// publicationSQL selects the publication. If there is none, it selects the names of
// others: one may be what was meant.
func publicationSQL(name string) string {
	literal := quote.RawLiteral(name)
	return `pg_catalog.jsonb_build_object('found', (SELECT pg_catalog.to_jsonb(p) || pg_catalog.jsonb_build_object('age', pg_catalog.age(p.xmin),
'owner', pg_catalog.pg_get_userbyid(p.pubowner), 'owned', pg_catalog.pg_has_role(p.pubowner, 'USAGE'))
FROM pg_catalog.pg_publication p WHERE p.pubname = ` + literal + `),
'near', CASE WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_publication p WHERE p.pubname = ` + literal + `) THEN (
SELECT pg_catalog.jsonb_agg(x.pubname) FROM (SELECT p.pubname FROM pg_catalog.pg_publication p
ORDER BY pg_catalog.lower(p.pubname::text) <> pg_catalog.lower(` + literal + `), p.pubname LIMIT ` + strconv.Itoa(maxListed) + `) x) END)`
}
