package ask

import (
	"strings"

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
	case facts.PartPublication:
		return publicationSQL(slot.PublicationName)
	case facts.PartSlot:
		return slotSQL(slot.SlotName)
	case facts.PartIdentity:
		return `(SELECT pg_catalog.to_jsonb(c.system_identifier::text) FROM pg_catalog.pg_control_system() c)`
	case facts.PartWALSenders:
		return `(SELECT pg_catalog.to_jsonb(pg_catalog.count(*)) FROM pg_catalog.pg_stat_get_wal_senders())`
	case facts.PartTables:
		return tablesSQL(slot.PublicationName)
	case facts.PartSlots:
		return slotsSQL(slot.SlotName)
	case facts.PartRowFilters:
		return rowFiltersSQL(slot.PublicationName)
	}
	return "NULL"
}

// statement returns one SELECT of one JSON document that has all of parts.
func statement(parts []facts.Part, slot database.Slot) string {
	members := make([]string, len(parts))
	for i, p := range parts {
		members[i] = quote.Literal(string(p)) + ", " + partSQL(p, slot)
	}
	return "SELECT pg_catalog.jsonb_build_object(" + strings.Join(members, ", ") + ")::text"
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

func serverSQL() string {
	names := make([]string, 0, len(settings()))
	for _, n := range settings() {
		names = append(names, quote.Literal(n))
	}
	listed := strings.Join(names, ", ")
	return `(SELECT pg_catalog.jsonb_build_object(
'version', pg_catalog.current_setting('server_version_num')::int,
'in_recovery', pg_catalog.pg_is_in_recovery(),
'database', d.datname, 'database_oid', d.oid::bigint,
'pid', pg_catalog.pg_backend_pid(),
'backend_type', (SELECT a.backend_type FROM pg_catalog.pg_stat_activity a WHERE a.pid = pg_catalog.pg_backend_pid()),
'settings', (SELECT pg_catalog.jsonb_object_agg(s.name, pg_catalog.left(s.setting, 100)) FROM pg_catalog.pg_settings s WHERE s.name IN (` + listed + `)),
'setting_origins', (SELECT pg_catalog.jsonb_object_agg(s.name, pg_catalog.jsonb_build_object('source', s.source, 'context', s.context, 'pending_restart', s.pending_restart))
FROM pg_catalog.pg_settings s WHERE s.name IN (` + listed + `)),
'role', r.rolname, 'may_use_slots', r.rolsuper OR r.rolreplication,
'session_role', l.rolname, 'superuser', l.rolsuper, 'replication', l.rolreplication,
'rds_replication', EXISTS (SELECT FROM pg_catalog.pg_roles g WHERE g.rolname = 'rds_replication' AND pg_catalog.pg_has_role(l.oid, g.oid, 'member')),
'aurora', pg_catalog.to_regproc('pg_catalog.aurora_version') IS NOT NULL)
FROM pg_catalog.pg_database d, pg_catalog.pg_roles r, pg_catalog.pg_roles l
WHERE d.datname = pg_catalog.current_database() AND r.rolname = current_user AND l.rolname = session_user)`
}

func publicationSQL(name string) string {
	return `pg_catalog.jsonb_build_object('found', (SELECT pg_catalog.to_jsonb(p) || pg_catalog.jsonb_build_object('age', pg_catalog.age(p.xmin))
FROM pg_catalog.pg_publication p WHERE p.pubname = ` + quote.RawLiteral(name) + `))`
}
