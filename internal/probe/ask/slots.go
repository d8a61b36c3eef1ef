package ask

import (
	"strconv"
	"strings"

	"github.com/headgate/headgate/internal/probe/quote"
)

// currentLSN is the end of the WAL. pg_current_wal_lsn() fails in recovery.
const currentLSN = `CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END`

// maxFreeSuffix bounds the numbers that are tried to make a name that no slot has.
const maxFreeSuffix = 99

// maxSimilar bounds the slots with similar names.
const maxSimilar = 3

// slotSQL selects the slot. The locks that its creation waits for are looked up only
// while it is being created.
func slotSQL(name string) string {
	return `pg_catalog.jsonb_build_object('found', (SELECT pg_catalog.to_jsonb(s) || pg_catalog.jsonb_build_object(
'age', pg_catalog.age(s.catalog_xmin),
'pending', pg_catalog.pg_wal_lsn_diff(` + currentLSN + `, s.confirmed_flush_lsn)::bigint,
'retained', pg_catalog.pg_wal_lsn_diff(` + currentLSN + `, s.restart_lsn)::bigint,
'idle', pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - (pg_catalog.to_jsonb(s) ->> 'inactive_since')::timestamptz)::bigint,
'waits_for', CASE WHEN s.slot_type = 'logical' AND s.confirmed_flush_lsn IS NULL AND s.active_pid IS NOT NULL
THEN pg_catalog.to_jsonb((pg_catalog.pg_blocking_pids(s.active_pid))[1:` + strconv.Itoa(maxListed) + `]) END)
FROM pg_catalog.pg_replication_slots s WHERE s.slot_name = ` + quote.Literal(name) + `))`
}

// slotsSQL selects what concerns all slots. synchronized_standby_slots has names that
// may be quoted, and are in lower case if they are not; before 17 it does not exist.
func slotsSQL(name string) string {
	const maxBase = 60 // of a name of 63 bytes
	base := name[:min(len(name), maxBase)]
	return `(SELECT pg_catalog.jsonb_build_object(
'in_use', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots),
'free_suffix', (SELECT pg_catalog.min(n.i) FROM pg_catalog.generate_series(2, ` + strconv.Itoa(maxFreeSuffix) + `) n(i)
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots s WHERE s.slot_name::text = ` + quote.Literal(base) + ` || '_' || n.i::text)),
'similar', (SELECT pg_catalog.jsonb_agg(x.name) FROM (SELECT s.slot_name::text AS name FROM pg_catalog.pg_replication_slots s
WHERE s.database = pg_catalog.current_database() AND s.plugin = 'pgoutput' AND (
pg_catalog.strpos(s.slot_name::text, ` + quote.Literal(name) + `) > 0 OR pg_catalog.strpos(` + quote.Literal(name) + `, s.slot_name::text) > 0
OR pg_catalog.replace(s.slot_name::text, '_', '') = ` + quote.Literal(strings.ReplaceAll(name, "_", "")) + `)
ORDER BY 1 LIMIT ` + strconv.Itoa(maxSimilar) + `) x),
'standbys', (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
'name', l.name, 'exists', s.slot_name IS NOT NULL, 'physical', s.slot_type = 'physical', 'active', s.active,
'invalidated', pg_catalog.to_jsonb(s) ->> 'wal_status' = 'lost' OR pg_catalog.to_jsonb(s) ->> 'invalidation_reason' IS NOT NULL,
'behind', pg_catalog.pg_wal_lsn_diff(` + currentLSN + `, s.restart_lsn)::bigint))
FROM (SELECT CASE WHEN x.name LIKE '"%' THEN pg_catalog.btrim(x.name, '"') ELSE pg_catalog.lower(x.name) END AS name
FROM pg_catalog.pg_settings g, pg_catalog.unnest(pg_catalog.string_to_array(g.setting, ',')) e(entry), pg_catalog.btrim(e.entry, E' \t\n\r\f\v') x(name)
WHERE g.name = 'synchronized_standby_slots' AND x.name <> '' LIMIT ` + strconv.Itoa(maxListed) + `) l
LEFT JOIN pg_catalog.pg_replication_slots s ON s.slot_name::text = l.name)))`
}

// rowFiltersSQL selects whether the publication has row filters (from 15).
func rowFiltersSQL(publication string) string {
	return `(SELECT pg_catalog.to_jsonb(EXISTS (SELECT FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
WHERE p.pubname = ` + quote.RawLiteral(publication) + ` AND pg_catalog.to_jsonb(r) ->> 'prqual' IS NOT NULL)))`
}
