package bench_test

import (
	"testing"

	"github.com/headgate/headgate/internal/suites/bench"
)

// The waits of a cold create are the six to Postgres, CreateSecret's and the
// transaction's. Beside them the name is looked for (TCP, TLS, GetItem) and the
// connection to Secrets Manager is made (TCP, TLS).
func TestAColdCreateTakesThreeConnectionsAndFewRoundTrips(t *testing.T) {
	t.Parallel()
	got, err := bench.CountColdCreate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.PostgresConnections != 1 || got.AWSConnections != 2 {
		t.Errorf("%+v, want 1 connection to Postgres and 2 to AWS", got)
	}
	if got.PostgresRoundTrips > 6 || got.AWSRoundTrips > 7 {
		t.Errorf("%+v, want at most 6 round trips to Postgres and 7 to AWS", got)
	}
}
