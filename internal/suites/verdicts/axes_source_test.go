package verdicts_test

import (
	"context"
	"fmt"

	"github.com/headgate/headgate/internal/database"
)

func publicationAxis() axis {
	sql := func(text string) func(*plan) {
		return func(p *plan) { p.publication = func(*plan) string { return text } }
	}
	with := func(text string) func(*plan) { return func(p *plan) { p.with = append(p.with, text) } }
	return axis{"publication", []choice{
		{name: "for tables"},
		{name: "missing", set: func(p *plan) { p.publication = nil }},
		{name: "empty", set: sql("CREATE PUBLICATION {pub}")},
		{name: "for all tables", set: sql("CREATE PUBLICATION {pub} FOR ALL TABLES")},
		{name: "for a schema", since: 15, set: sql("CREATE PUBLICATION {pub} FOR TABLES IN SCHEMA public")},
		{name: "for an empty schema", since: 15, set: func(p *plan) {
			p.add(step{phase: tablePhase, sql: "CREATE SCHEMA bare"})
			sql("CREATE PUBLICATION {pub} FOR TABLES IN SCHEMA bare")(p)
		}},
		{name: "with generated columns", since: 18, set: with("publish_generated_columns = stored")},
		{name: "inserts only", set: with("publish = 'insert'")},
		{name: "no deletes", set: with("publish = 'insert, update, truncate'")},
		{name: "no truncate", set: with("publish = 'insert, update, delete'")},
		{name: "made after the slot", set: func(p *plan) { p.late = true }},
		{name: "made anew", set: func(p *plan) {
			p.add(step{phase: latePublicationPhase, sql: "DROP PUBLICATION {pub}"}, step{phase: latePublicationPhase, do: makePublication})
		}},
		{name: "another case", set: func(p *plan) {
			p.add(step{phase: publicationPhase, sql: "ALTER PUBLICATION {pub} RENAME TO \"mixed\""})
			p.endpoint = append(p.endpoint, func(_ *world, t *database.Target) { t.Slot.PublicationName = "Mixed" })
		}},
		{name: "quoted name", set: func(p *plan) {
			p.endpoint = append(p.endpoint, func(_ *world, t *database.Target) { t.Slot.PublicationName = `p'u"b, lication` })
			p.add(step{phase: publicationPhase, sql: `ALTER PUBLICATION {pub} RENAME TO "p'u""b, lication"`})
		}},
	}}
}

func makePublication(ctx context.Context, w *world) error {
	sql := w.plan.publication(w.plan)
	return w.run(ctx, w.lease.primary, w.names.database, "", w.fill(sql))
}

func viaRootAxis() axis {
	return axis{"via root", []choice{
		{name: "no"},
		{name: "yes", set: func(p *plan) { p.with = append(p.with, "publish_via_partition_root = true") }},
	}}
}

func pendingAxis() axis {
	return axis{"pending", []choice{
		{name: "nothing"},
		{name: "a change", set: func(p *plan) { p.pending = true }},
	}}
}

func slotAxis() axis {
	sql := func(text string) func(*plan) { return func(p *plan) { p.slot = text } }
	otherDatabase := func(plugin string) func(*plan) {
		return func(p *plan) {
			p.slot = ""
			p.admin(databasePhase, "CREATE DATABASE {otherdb}")
			p.add(step{phase: slotPhase, at: "{otherdb}", sql: createSlot(plugin), slotServer: true})
		}
	}
	return axis{"slot", []choice{
		{name: "pgoutput"},
		{name: "missing", set: sql("")},
		{name: "of another plugin", set: sql(createSlot("test_decoding"))},
		{name: "physical", set: sql("SELECT pg_create_physical_replication_slot({slot})")},
		{name: "physical, keeping WAL", set: sql("SELECT pg_create_physical_replication_slot({slot}, true)")},
		{name: "of another database", set: otherDatabase("pgoutput")},
		{name: "of another database and plugin", set: otherDatabase("test_decoding")},
		{name: "being read", excludes: []string{"standby"}, set: func(p *plan) { p.add(step{phase: heldPhase, do: readSlot}) }},
		{name: "being made", alone: true, set: func(p *plan) {
			p.slot = ""
			p.add(step{phase: heldPhase, do: beginSlot})
		}},
		{name: "invalidated", alone: true, set: func(p *plan) { p.add(step{phase: heldPhase - 1, do: outrunSlot}) }},
		{name: "lagging", alone: true, set: func(p *plan) {
			p.add(step{phase: grantPhase, do: func(ctx context.Context, w *world) error { return w.switchWAL(ctx, 20) }})
		}},
		{name: "temporary", excludes: []string{"standby"}, set: func(p *plan) {
			p.slot = ""
			p.add(step{phase: slotPhase, do: func(ctx context.Context, w *world) error {
				conn, err := w.hold(ctx, w.names.database, nil)
				if err != nil {
					return err
				}
				return execute(ctx, conn, w.fill("SELECT pg_create_logical_replication_slot({slot}, 'pgoutput', true)"))
			}})
		}},
		{name: "two-phase", since: 14, set: sql("SELECT pg_create_logical_replication_slot({slot}, 'pgoutput', false, true)")},
		{name: "two-phase, transactions can be prepared", since: 14, alone: true, set: func(p *plan) {
			sql("SELECT pg_create_logical_replication_slot({slot}, 'pgoutput', false, true)")(p)
			p.needs.settings = map[string]string{"max_prepared_transactions": "5"}
		}},
		{name: "failover", since: 17, excludes: []string{"standby"}, set: sql("SELECT pg_create_logical_replication_slot({slot}, 'pgoutput', false, false, true)")},
		{name: "failover, held back by a standby", since: 17, alone: true, set: func(p *plan) {
			sql("SELECT pg_create_logical_replication_slot({slot}, 'pgoutput', false, false, true)")(p)
			p.pending = true
			p.add(step{phase: slotPhase, sql: "SELECT pg_create_physical_replication_slot('standby_{id}', true)"})
			p.admin(grantPhase, "ALTER SYSTEM SET synchronized_standby_slots = 'standby_{id}'")
			p.add(step{phase: grantPhase, do: func(ctx context.Context, w *world) error { return w.lease.reload(ctx) }})
		}},
	}}
}

// obstacleAxis is what is in headgate's way while it looks, and gone afterwards.
func obstacleAxis() axis {
	return axis{"obstacle", []choice{
		{name: "none"},
		{name: "a table is locked", excludes: []string{"standby"}, set: func(p *plan) {
			p.add(step{phase: heldPhase, do: func(ctx context.Context, w *world) error {
				conn, err := w.hold(ctx, w.names.database, nil)
				if err != nil {
					return err
				}
				w.release = func(ctx context.Context) error { return execute(ctx, conn, "ROLLBACK") }
				return execute(ctx, conn, "BEGIN", "LOCK TABLE "+w.plan.tables[0].qualified()+" IN ACCESS EXCLUSIVE MODE")
			}})
		}},
	}}
}

func settingsAxis() axis {
	server := func(settings ...string) func(*plan) {
		return func(p *plan) {
			p.needs.settings = map[string]string{}
			for i := 0; i < len(settings); i += 2 {
				p.needs.settings[settings[i]] = settings[i+1]
			}
			if p.needs.settings["wal_level"] != "" {
				p.slot = ""
			}
		}
	}
	reloaded := func(name, value string) func(*plan) {
		return func(p *plan) { p.setting(grantPhase, name, value) }
	}
	return axis{"settings", []choice{
		{name: "as they are"},
		{name: "wal_level replica", alone: true, excludes: []string{"slot"}, set: server("wal_level", "replica")},
		{name: "wal_level minimal", alone: true, excludes: []string{"slot"}, set: server("wal_level", "minimal", "max_wal_senders", "0")},
		{name: "wal_level logical after a restart", alone: true, excludes: []string{"slot"}, set: func(p *plan) {
			server("wal_level", "replica", "work_mem", "5MB")(p) // a server of its own
			p.admin(heldPhase, "ALTER SYSTEM SET wal_level = logical")
			p.add(step{phase: heldPhase, do: func(ctx context.Context, w *world) error { return w.lease.reload(ctx) }})
		}},
		{name: "wal_level on the command line", alone: true, excludes: []string{"slot"}, set: func(p *plan) {
			server()(p)
			p.needs.arguments, p.slot = []string{"-c", "wal_level=replica"}, ""
		}},
		{name: "ALTER SYSTEM not allowed, wal_level replica", since: 17, alone: true, excludes: []string{"slot"}, set: server("wal_level", "replica", "allow_alter_system", "off")},
		{name: "no slot left", alone: true, excludes: []string{"slot"}, set: func(p *plan) {
			server("max_replication_slots", "3")(p)
			p.slot = ""
			p.add(step{phase: slotPhase, do: fillSlots})
		}},
		{name: "all slots in use", alone: true, excludes: []string{"slot"}, set: func(p *plan) {
			server("max_replication_slots", "3")(p)
			p.add(step{phase: slotPhase + 1, do: fillSlots})
		}},
		{name: "no walsender left", alone: true, set: func(p *plan) {
			server("max_wal_senders", "2")(p)
			p.add(step{phase: heldPhase, do: holdWALSenders(2)})
		}},
		{name: "one walsender left", alone: true, set: func(p *plan) {
			server("max_wal_senders", "2")(p)
			p.add(step{phase: heldPhase, do: holdWALSenders(1)})
		}},
		{name: "no walsenders", alone: true, excludes: []string{"slot"}, set: server("max_wal_senders", "0")},
		{name: "a far limit on a slot's WAL", alone: true, set: reloaded("max_slot_wal_keep_size", "200GB")},
		{name: "a near limit on a slot's WAL", alone: true, set: func(p *plan) {
			reloaded("wal_keep_size", "0")(p)
			reloaded("max_slot_wal_keep_size", "32MB")(p)
		}},
		{name: "a limit on a slot's idle time", since: 18, alone: true, set: reloaded("idle_replication_slot_timeout", "1d")},
		{name: "a near limit on a slot's idle time", since: 18, alone: true, set: reloaded("idle_replication_slot_timeout", "30min")},
	}}
}

func standbyAxis() axis {
	onStandby := func(settings map[string]string, change func(*world, *database.Target)) func(*plan) {
		return func(p *plan) {
			p.needs.standby = settings
			p.endpoint = append(p.endpoint, func(w *world, t *database.Target) {
				primary := t.Endpoint
				primary.Port = w.lease.primary.Port()
				t.Primary, t.Passwords.Primary = &primary, t.Passwords.Main
				if change != nil {
					change(w, t)
				}
			})
			if p.major < 16 {
				p.slot = ""
			}
		}
	}
	feedback := map[string]string{"hot_standby_feedback": "on"}
	return axis{"standby", []choice{
		{name: "no"},
		{name: "yes", alone: true, set: onStandby(feedback, nil)},
		{name: "yes, without its primary", alone: true, set: onStandby(feedback, func(_ *world, t *database.Target) { t.Primary = nil })},
		{name: "yes, with itself as primary", alone: true, set: onStandby(feedback, func(w *world, t *database.Target) {
			t.Primary.Port = w.lease.standby.Port()
		})},
		{name: "yes, with another database of the primary", alone: true, set: onStandby(feedback, func(_ *world, t *database.Target) {
			t.Primary.Database = "postgres"
		})},
		{name: "yes, without feedback", alone: true, set: onStandby(map[string]string{"hot_standby_feedback": "off"}, nil)},
		{name: "yes, with a copied slot", since: 17, alone: true, excludes: []string{"slot", "publication", "pending"}, set: func(p *plan) {
			onStandby(copying(), nil)(p)
			copySlot(p)
		}},
		{name: "promoted, with a copied slot", since: 17, alone: true, excludes: []string{"slot", "publication", "pending"}, set: func(p *plan) {
			p.needs.standby = copying()
			copySlot(p)
			p.add(step{phase: heldPhase, do: promote})
		}},
		{name: "no, but a primary", set: func(p *plan) {
			p.endpoint = append(p.endpoint, func(_ *world, t *database.Target) {
				primary := t.Endpoint
				t.Primary, t.Passwords.Primary = &primary, t.Passwords.Main
			})
		}},
	}}
}

// fillSlots makes physical slots until there is no place left.
func fillSlots(ctx context.Context, w *world) error {
	for i := range 10 {
		err := w.run(ctx, w.lease.primary, "postgres", "", w.fill(fmt.Sprintf("SELECT pg_create_physical_replication_slot('fill_{id}_%d')", i)))
		if stateOf(err) == "53400" {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("fill the slots: there is room for more")
}
