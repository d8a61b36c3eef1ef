package verdicts_test

import (
	"context"
	"fmt"
	"strings"
)

// snapshot is what fixes must leave as it is, by what it is.
type snapshot map[string]string

// harmless are queries whose rows, a key and a value, no fix may change or remove.
func (w *world) harmless() map[string]string {
	slot, ancestors := literal(w.target.Slot.SlotName), "pg_partition_ancestors(c.oid)"
	if w.plan.major < 12 {
		ancestors = "(SELECT c.oid AS relid) itself"
	}
	return map[string]string{
		"slot": `SELECT slot_name, concat_ws(' ', plugin, database, slot_type, confirmed_flush_lsn, to_jsonb(pg_replication_slots) ->> 'wal_status' = 'lost') FROM pg_replication_slots WHERE slot_name <> ` + slot +
			` OR plugin IS DISTINCT FROM 'pgoutput' OR database IS DISTINCT FROM ` + literal(w.names.database),
		"publication":         `SELECT pubname, concat_ws(' ', puballtables, pubinsert, pubupdate, pubdelete, pubtruncate) FROM pg_publication WHERE pubname <> ` + literal(w.target.Slot.PublicationName),
		"publication's table": `SELECT pubname || ' ' || schemaname || '.' || translate(tablename, E'\n', ' '), '' FROM pg_publication_tables WHERE pubname <> ` + literal(w.target.Slot.PublicationName),
		"grant": `SELECT c.oid::regclass || ' ' || coalesce(r.rolname, 'public') || ' ' || a.privilege_type,
CASE WHEN EXISTS (SELECT FROM pg_publication_tables pt WHERE pubname = ` + literal(w.target.Slot.PublicationName) + ` 
  AND (to_regclass(format('%I.%I', schemaname, tablename)) = c.oid OR to_regclass(format('%I.%I', schemaname, tablename)) IN (SELECT relid FROM ` + ancestors + `))) THEN 'published' END
FROM pg_class c, aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE c.relnamespace::regnamespace::text NOT LIKE 'pg_%'`,
		"role":  `SELECT rolname, concat_ws(' ', rolcanlogin, rolreplication, rolsuper, rolbypassrls) FROM pg_roles WHERE rolname <> ` + literal(w.names.role),
		"limit": `SELECT name, setting FROM pg_settings WHERE name IN ('max_slot_wal_keep_size', 'idle_replication_slot_timeout') AND setting NOT IN ('-1', '0')`,
	}
}

func (w *world) snapshot(ctx context.Context) (snapshot, error) {
	all := snapshot{}
	for kind, sql := range w.harmless() {
		server := w.lease.primary
		if kind == "slot" {
			server = w.lease.target()
		}
		text, err := w.ask(ctx, server, w.names.database, sql)
		if err != nil {
			return nil, fmt.Errorf("look at every %s: %w", kind, err)
		}
		for line := range strings.Lines(text) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			all[kind+" "+key] = value
		}
	}
	return all, nil
}

// harm is what is not as it was before the fixes. What was added is no harm, but
// for grants to others than the consumer's role.
func (w *world) harm(ctx context.Context, before snapshot) ([]disagreement, error) {
	after, err := w.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	var all []disagreement
	add := func(key, format string, args ...any) {
		kind, _, _ := strings.Cut(key, " ")
		all = append(all, disagreement{fixHarmful, kind, fmt.Sprintf(format, args...)})
	}
	for key, value := range before {
		now, ok := after[key]
		free := strings.HasPrefix(key, "limit ") || strings.HasPrefix(key, "grant ")
		switch {
		case !ok && w.isTarget(key): // since a fix sent its name
		case !ok:
			add(key, "%s (%s) is gone", key, value)
		case now != value && !free:
			add(key, "%s was %q and is %q", key, value, now)
		}
	}
	for key, value := range after {
		if _, ok := before[key]; !ok && strings.HasPrefix(key, "grant ") && !w.mayBeGranted(key, value) {
			add(key, "%s was given", key)
		}
	}
	return all, nil
}

// isTarget reports whether key is about the publication that the target has now.
func (w *world) isTarget(key string) bool {
	name := w.target.Slot.PublicationName
	return key == "publication "+name || strings.HasPrefix(key, "publication's table "+name+" ")
}

// mayBeGranted reports whether a grant is one to read a published table, to the role
// that a consumer's session has. The rights of owners show once there is another
// grant.
func (w *world) mayBeGranted(key, value string) bool {
	for _, role := range []string{w.names.role, w.names.group, w.target.Endpoint.Username} {
		if value == "published" && strings.HasSuffix(key, " "+role+" SELECT") {
			return true
		}
	}
	return strings.Contains(key, " "+w.names.owner+" ") || strings.Contains(key, " "+superuser+" ")
}
