package verdicts_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// facts are what the superuser sees on the servers: they name the reason for what
// a consumer met with, and are the oracle of warnings about the future.
type facts struct {
	Slot        *slotFacts        `json:"slot"`
	Slots       int               `json:"slots"`
	Publication *publicationFacts `json:"publication"`
	Role        *roleFacts        `json:"role"`
	Senders     int               `json:"senders"`
	InRecovery  bool              `json:"in_recovery"`
	Settings    map[string]string `json:"settings"`
	primary     *primaryFacts
}

type slotFacts struct {
	Plugin         *string `json:"plugin"`
	Type           string  `json:"slot_type"`
	Database       *string `json:"database"`
	Temporary      bool    `json:"temporary"`
	Active         bool    `json:"active"`
	RestartLSN     *string `json:"restart_lsn"`
	ConfirmedFlush *string `json:"confirmed_flush_lsn"`
	WALStatus      *string `json:"wal_status"`
	TwoPhase       bool    `json:"two_phase"`
	Synced         bool    `json:"synced"`
	Conflicting    bool    `json:"conflicting"`
	Invalidation   *string `json:"invalidation_reason"`
	Retained       *int64  `json:"retained"`
	SafeWALSize    *int64  `json:"safe_wal_size"`
}

type publicationFacts struct {
	AllTables bool  `json:"puballtables"`
	Insert    bool  `json:"pubinsert"`
	Update    bool  `json:"pubupdate"`
	Delete    bool  `json:"pubdelete"`
	Truncate  bool  `json:"pubtruncate"`
	ViaRoot   *bool `json:"pubviaroot"`
}

type roleFacts struct {
	Superuser   bool `json:"rolsuper"`
	Replication bool `json:"rolreplication"`
	Connect     bool `json:"connect"`
}

// primaryFacts are those of the server that was given as the primary.
type primaryFacts struct {
	inRecovery, sameDatabase bool
	login                    error
	// withTLS is whether the login works over TLS where it did not without.
	withTLS bool
}

func (w *world) lookAtFacts(ctx context.Context, o *observation) error {
	t := w.target
	sql := fmt.Sprintf(`SELECT jsonb_build_object(
'slot', (SELECT to_jsonb(s) || jsonb_build_object('retained', pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)::bigint)
  FROM pg_replication_slots s WHERE slot_name = %[1]s),
'slots', (SELECT count(*) FROM pg_replication_slots),
'publication', (SELECT to_jsonb(p) FROM pg_publication p WHERE pubname = %[2]s),
'role', (SELECT to_jsonb(r) || jsonb_build_object('connect', has_database_privilege(r.oid, current_database(), 'CONNECT')) FROM pg_roles r WHERE rolname = %[3]s),
'senders', (SELECT count(*) FROM pg_stat_replication),
'in_recovery', pg_is_in_recovery(),
'settings', (SELECT jsonb_object_agg(name, setting) FROM pg_settings WHERE name IN
  ('wal_level', 'max_wal_senders', 'max_replication_slots', 'ssl', 'hot_standby_feedback', 'max_slot_wal_keep_size', 'idle_replication_slot_timeout', 'max_prepared_transactions', 'synchronized_standby_slots')))`,
		literal(t.Slot.SlotName), literal(t.Slot.PublicationName), literal(t.Endpoint.Username))
	text, err := w.ask(ctx, w.lease.target(), w.database(), sql)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), &o.facts); err != nil {
		return fmt.Errorf("read the facts: %w", err)
	}
	if t.Primary != nil {
		o.facts.primary = &primaryFacts{
			inRecovery:   w.lease.standby != nil && t.Primary.Port == w.lease.standby.Port(),
			sameDatabase: t.Primary.Database == t.Endpoint.Database,
		}
		conn, err := login(ctx, *t.Primary, t.Passwords.Primary.Reveal(), nil)
		if o.facts.primary.login = err; err == nil {
			return conn.Close(ctx)
		}
		o.facts.primary.withTLS = !t.Primary.SSL && letsInWithTLS(ctx, *t.Primary, t.Passwords.Primary.Reveal(), nil)
	}
	return nil
}

// lookAtRoots finds the partitioned tables that the publication has as a whole.
func (w *world) lookAtRoots(ctx context.Context, o *observation) error {
	schemas := ""
	if w.plan.major >= 15 {
		schemas = " OR EXISTS (SELECT FROM pg_publication_namespace n WHERE n.pnpubid = p.oid AND n.pnnspid = c.relnamespace)"
	}
	for i, t := range w.tables() {
		answer, err := w.ask(ctx, w.lease.primary, w.names.database, `SELECT count(*) FROM pg_publication p, pg_class c WHERE c.relkind = 'p' AND c.oid = `+
			literal(t.qualified())+`::regclass AND pubname = `+literal(w.target.Slot.PublicationName)+` AND (puballtables
OR EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = c.oid)`+schemas+")")
		if err != nil {
			return err
		}
		o.tables[i].root = answer == "1"
	}
	return nil
}

func (f facts) number(setting string) int64 {
	n, err := strconv.ParseInt(f.Settings[setting], 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// invalid reports whether the slot's WAL or rows are gone.
func (s *slotFacts) invalid() bool {
	return s.WALStatus != nil && *s.WALStatus == "lost" || s.Conflicting || s.Invalidation != nil || s.RestartLSN == nil
}

// missing are the operations that the publication does not send.
func (p *publicationFacts) missing() []string {
	all := map[string]bool{"insert": p.Insert, "update": p.Update, "delete": p.Delete, "truncate": p.Truncate}
	var names []string
	for name, sent := range all {
		if !sent {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func isMissing(p *publicationFacts, operation string) bool {
	return p != nil && slices.Contains(p.missing(), strings.TrimPrefix(operation, "pending "))
}
