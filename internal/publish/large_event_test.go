package publish_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

func TestPublish_LargeEvent(t *testing.T) {
	t.Parallel()
	large := sample("id", "c1")
	for range 100 {
		large.Warnings = append(large.Warnings, check.Warning{Name: "tables", Code: "tables_unreadable", Message: strings.Repeat("m", 500)})
	}
	large.Annotations = `{"a":"` + strings.Repeat("a", 50<<10) + `"}`
	for _, tt := range []struct {
		name   string
		padded int // bytes of a certificate
		want   []string
	}{
		{"that fits", 100 << 10, nil},
		{"without warnings", 180 << 10, []string{"database.warnings"}},
		{"without annotations either", 230 << 10, []string{"database.warnings", "database.annotations"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture()
			d := large
			d.Endpoint.SSLRootCert = strings.Repeat("x", tt.padded)
			if failed, err := f.publish(t, f.record("database#id", nil, d)); failed != "" || err != nil || len(f.bus.taken) != 1 {
				t.Fatalf("failed at %q: %v", failed, err)
			}
			got := f.bus.taken[0]
			if !slices.Equal(got.Truncated, tt.want) || f.bus.requests[0][0].Size() > 256<<10 {
				t.Errorf("truncated %v, want %v; %d bytes", got.Truncated, tt.want, f.bus.requests[0][0].Size())
			}
		})
	}
	t.Run("without the checks of a health", func(t *testing.T) {
		t.Parallel()
		f := newFixture()
		health := map[string]any{"change": "h", "database": sample("id", "c1").Object(), "health": map[string]any{"status": "failing", "checks": []check.Entry{{Message: strings.Repeat("x", 300<<10)}}}}
		if failed, err := f.publish(t, f.record("health#id", nil, health)); failed != "" || err != nil || len(f.bus.taken) != 1 {
			t.Fatalf("failed at %q: %v", failed, err)
		}
		if got := f.bus.taken[0]; !slices.Equal(got.Truncated, []string{"health.checks"}) || got.Health.Status != database.HealthFailing || len(got.Health.Checks) > 0 {
			t.Errorf("truncated %v, health %+v", got.Truncated, got.Health)
		}
	})
	t.Run("that can't be cut is a dead letter", func(t *testing.T) {
		t.Parallel()
		f := newFixture()
		d := large
		d.Endpoint.SSLRootCert = strings.Repeat("x", 300<<10)
		if failed, err := f.publish(t, f.record("database#id", nil, d)); failed != "" || err != nil || len(f.letters.sent) != 1 {
			t.Errorf("failed at %q: %v, dead letters %d", failed, err, len(f.letters.sent))
		}
	})
}
