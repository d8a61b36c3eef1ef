package verdicts_test

import (
	"context"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/pgbouncer"
)

// frontAxis is what stands between the consumer and the server.
func frontAxis() axis {
	// PgBouncer has a login, certificates and passwords of its own.
	own := []string{"names", "role", "pg_hba", "certificate", "ssl", "password", "database", "endpoint", "standby"}
	pooler := func(ignored string) func(*plan) {
		return func(p *plan) {
			p.add(step{phase: heldPhase, do: func(ctx context.Context, w *world) error { return startPooler(ctx, w, ignored) }})
			p.endpoint = append(p.endpoint, func(w *world, t *database.Target) { t.Endpoint.Port = w.pooler.Port() })
		}
	}
	return axis{"front", []choice{
		{name: "none"},
		{name: "PgBouncer", excludes: own, set: pooler("")},
		{name: "PgBouncer that ignores replication", excludes: own, set: pooler("replication")},
	}}
}

func startPooler(ctx context.Context, w *world, ignored string) error {
	all, err := issued()
	if err != nil {
		return err
	}
	c := all[ecdsaCertificate]
	w.pooler, err = pgbouncer.Start(ctx, pgbouncer.Options{
		ServerPort: w.lease.target().Port(), Username: w.names.role, Password: w.plan.sent,
		Certificate: c.Certificate, Key: c.Key, IgnoredParameters: ignored,
	})
	return err
}
