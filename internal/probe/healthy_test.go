package probe_test

import (
	"testing"

	"github.com/headgate/headgate/internal/check"
)

func TestProbe_HealthySource(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{true, false} {
		s := newSource(t, shared)
		s.target.Endpoint.SSL = tls
		report := s.probe()
		want := map[string]check.Status{check.Standby: check.Skipped}
		if !tls {
			want[check.TLS] = check.Warned
		}
		for _, name := range check.Names() {
			expected, ok := want[name]
			if !ok {
				expected = check.Passed
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
