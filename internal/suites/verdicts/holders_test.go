package verdicts_test

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
)

const waitInterval = 5 * time.Millisecond

// readSlot has another process read the slot.
func readSlot(ctx context.Context, w *world) error {
	name, err := w.ask(ctx, w.lease.target(), "postgres", w.fill("SELECT coalesce(database, '') FROM pg_replication_slots WHERE slot_name = {slot} AND plugin = 'pgoutput'"))
	if err != nil || name == "" {
		return err // there is nothing to read
	}
	conn, err := connect(ctx, w.lease.target(), name, map[string]string{"replication": "database"})
	if err != nil {
		return err
	}
	w.held = append(w.held, conn)
	return pglogrepl.StartReplication(ctx, conn, w.names.slot, 0, pglogrepl.StartReplicationOptions{
		Mode:       pglogrepl.LogicalReplication,
		PluginArgs: []string{"proto_version '1'", "publication_names " + literal(quote(w.names.publication))},
	})
}

// beginSlot has a session make the slot, which waits for an open transaction.
func beginSlot(ctx context.Context, w *world) error {
	writer, err := w.hold(ctx, w.names.database, nil)
	if err != nil {
		return err
	}
	if err := execute(ctx, writer, "BEGIN", "INSERT INTO other_table VALUES (1, 'open')"); err != nil {
		return err
	}
	maker, err := w.hold(ctx, w.names.database, nil)
	if err != nil {
		return err
	}
	// The answer is never read: the session ends with the scene.
	maker.Exec(ctx, w.fill(createSlot("pgoutput")))
	return w.until(ctx, w.fill("SELECT count(*) = 1 FROM pg_replication_slots WHERE slot_name = {slot} AND active"))
}

// until asks until the answer is yes.
func (w *world) until(ctx context.Context, sql string) error {
	ticker := time.NewTicker(waitInterval)
	defer ticker.Stop()
	for {
		answer, err := w.ask(ctx, w.lease.primary, "postgres", sql)
		if err != nil {
			return err
		}
		if answer == "t" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", sql, ctx.Err())
		case <-ticker.C:
		}
	}
}

// outrunSlot has the server remove WAL that the slot needs. The other slot, which
// loses it too, is made anew.
func outrunSlot(ctx context.Context, w *world) error {
	set := func(sql ...string) error {
		if err := w.run(ctx, w.lease.primary, "postgres", "", sql...); err != nil {
			return err
		}
		return w.lease.reload(ctx)
	}
	if err := set("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'", "ALTER SYSTEM SET "+"wal_keep_size = 0"); err != nil {
		return err
	}
	if err := w.switchWAL(ctx, 4); err != nil {
		return err
	}
	if err := w.run(ctx, w.lease.primary, "postgres", "", "CHECKPOINT"); err != nil {
		return err
	}
	if err := set("ALTER SYSTEM RESET max_slot_wal_keep_size", "ALTER SYSTEM RESET wal_keep_size"); err != nil {
		return err
	}
	return w.run(ctx, w.lease.primary, w.names.database, "", w.fill("SELECT pg_drop_replication_slot('other_{id}')"),
		w.fill("SELECT pg_create_logical_replication_slot('other_{id}', 'pgoutput')"))
}

// holdWALSenders takes n walsenders.
func holdWALSenders(n int) func(context.Context, *world) error {
	hold := func(ctx context.Context, w *world) error {
		for range n {
			_, err := w.hold(ctx, w.names.database, map[string]string{"replication": "database"})
			if stateOf(err) == "53300" {
				return nil // another step holds one
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return func(ctx context.Context, w *world) error {
		w.again = append(w.again, hold)
		return hold(ctx, w)
	}
}
