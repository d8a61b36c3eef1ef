package probe_test

import (
	"testing"

	"github.com/headgate/headgate/internal/testkit/pgbouncer"
)

// poolerParameters are the start-up parameters of a probe that PgBouncer rejects.
const poolerParameters = "replication,statement_timeout,client_min_messages,default_transaction_read_only"

// pooled returns a setup of a source behind a PgBouncer that ignores these start-up
// parameters.
func pooled(ignored string) func(t *testing.T) *source {
	return func(t *testing.T) *source {
		s := newSource(t, shared)
		bouncer, err := pgbouncer.Start(t.Context(), pgbouncer.Options{
			ServerPort: s.server.Port(), Username: s.target.Endpoint.Username, Password: password, IgnoredParameters: ignored,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(bouncer.Stop)
		s.target.Endpoint.Port, s.target.Endpoint.SSL = bouncer.Port(), false
		return s
	}
}

func bypassPooler(s *source) { s.target.Endpoint.Port = s.server.Port() }
