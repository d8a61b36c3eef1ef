package bench_test

import (
	"testing"

	"github.com/headgate/headgate/internal/suites/bench"
)

// A cold create waits for six round trips to Postgres, then CreateSecret and the
// transaction. Concurrently it reads the name (TCP, TLS, GetItem) and connects to
// Secrets Manager (TCP, TLS).
func TestColdCreate_RoundTrips(t *testing.T) {
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
