package probe_test

import (
	"testing"

	"github.com/headgate/headgate/internal/database"
)

func TestAHealthySourcePassesEveryCheck(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{true, false} {
		s := newSource(t, shared)
		s.target.Endpoint.SSL = tls
		report := s.probe()
		want := map[string]database.Status{database.CheckStandby: database.Skipped}
		if !tls {
			want[database.CheckTLS] = database.Skipped
		}
		for _, name := range database.CheckNames() {
			expected, ok := want[name]
			if !ok {
				expected = database.Passed
			}
			if got := status(report, name); got != expected {
				t.Errorf("ssl %v: %s is %s, want %s", tls, name, got, expected)
			}
		}
		if t.Failed() {
			t.Log(describe(report))
		}
	}
}
