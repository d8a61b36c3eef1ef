package devserver_test

import (
	"strings"
	"testing"
	"time"
)

func TestLoad_CheckEvery(t *testing.T) {
	t.Parallel()
	for every, want := range map[string]time.Duration{"": 0, "30s": 30 * time.Second, "1s": time.Second} {
		if c, err := load(t, map[string]string{"CHECK_EVERY": every}); err != nil || c.CheckEvery != want {
			t.Errorf("CHECK_EVERY=%s: %s, error %v", every, c.CheckEvery, err)
		}
	}
	for name, value := range map[string]string{"CHECK_EVERY": "30", "HEALTH_RETAINED_MB": "0", "HEALTH_SAFE_PERCENT": "200"} {
		if _, err := load(t, map[string]string{name: value}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: error %v", name, value, err)
		}
	}
	if _, err := load(t, map[string]string{"CHECK_EVERY": "999ms"}); err == nil {
		t.Error("CHECK_EVERY=999ms is accepted")
	}
}
