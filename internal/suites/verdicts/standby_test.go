package verdicts_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/headgate/headgate/internal/testkit/pgserver"
)

// copying are the settings of a standby that copies failover slots. The lease adds
// the connection to the primary.
func copying() map[string]string {
	return map[string]string{"hot_standby_feedback": "on", copiesSlots: "on"}
}

// copiesSlots marks a standby whose connection to the primary names a database, and
// that has a physical slot there.
const copiesSlots = "verdicts.copies_slots"

// keptSlot is that physical slot, which outlives the scenes.
const keptSlot = "keep"

// copySlot makes the slot on the primary, and has the standby copy it.
func copySlot(p *plan) {
	p.slot = ""
	p.add(step{phase: slotPhase, sql: "SELECT pg_create_logical_replication_slot({slot}, 'pgoutput', false, false, true)"},
		step{phase: heldPhase, do: awaitCopy})
}

// awaitCopy waits until the copy is kept: it is once the primary's slot is ahead of
// what the standby has.
func awaitCopy(ctx context.Context, w *world) error {
	for {
		err := w.run(ctx, w.lease.primary, w.names.database, "", "SELECT pg_log_standby_snapshot()",
			w.fill("SELECT pg_replication_slot_advance({slot}, pg_current_wal_lsn())"))
		if err != nil {
			return err
		}
		if err := w.caughtUp(ctx); err != nil {
			return err
		}
		answer, err := w.ask(ctx, w.lease.standby, "postgres", w.fill(
			"SELECT pg_sync_replication_slots(); SELECT count(*) FROM pg_replication_slots WHERE slot_name = {slot} AND synced AND NOT temporary"))
		if err != nil {
			return err
		}
		if strings.TrimSpace(answer) == "1" {
			return nil
		}
	}
}

// promote makes the standby a primary of its own, and stops the one that it had.
func promote(ctx context.Context, w *world) error {
	w.lease.dirty = true
	if err := w.run(ctx, w.lease.standby, "postgres", "", "SELECT pg_promote()"); err != nil {
		return err
	}
	w.lease.primary.Stop()
	w.lease.primary, w.lease.standby = w.lease.standby, nil
	return w.until(ctx, "SELECT NOT pg_is_in_recovery()")
}

// startStandby starts the standby that the needs describe.
func startStandby(ctx context.Context, primary *pgserver.Server, settings map[string]string) (*pgserver.Server, error) {
	options := pgserver.Options{Settings: map[string]string{}}
	for name, value := range settings {
		if name != copiesSlots {
			options.Settings[name] = value
			continue
		}
		options.PrimarySlot = keptSlot
		// Without TLS: libpq cannot bind a login to an Ed25519 certificate.
		options.Settings["primary_conninfo"] = fmt.Sprintf("host=127.0.0.1 port=%d user=postgres password=%s dbname=postgres sslmode=disable",
			primary.Port(), primary.SuperuserPassword())
	}
	return pgserver.StartStandby(ctx, primary, options)
}

// switchWAL moves on by n segments of 16 MB.
func (w *world) switchWAL(ctx context.Context, n int) error {
	for range n {
		if err := w.run(ctx, w.lease.primary, "postgres", "", "SELECT pg_logical_emit_message(false, 'a', 'b')", "SELECT pg_switch_wal()"); err != nil {
			return err
		}
	}
	return nil
}
