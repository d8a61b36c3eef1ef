package functions_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/sweep"
	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

func TestTheSweepRunsOnItsSchedulesEventAndLeavesTheYoung(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	s := g.stack
	var made struct{ ID string }
	(&client{t, g, "acme"}).call("POST", collection, source(t, "orders"), 201, &made)
	event, err := os.ReadFile("../../../events/sweep-secrets.json")
	if err != nil {
		t.Fatal(err)
	}
	f := s.function("sweep-secrets")
	var report sweep.Report
	if err := invoke(t, f, json.RawMessage(event), &report); err != nil {
		t.Fatal(err)
	}
	if want := (sweep.Report{Seen: 1}); report != want {
		t.Errorf("report %+v, want %+v", report, want)
	}
	if !slices.Contains(s.secrets(), s.prefix+"/acme/"+made.ID) {
		t.Error("the secret is gone")
	}
}

func TestASweepOfTooSmallAnAgeDoesNotStart(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	for _, age := range []string{"14m59s", "60", "-1h"} {
		f, err := runtimeapi.Start(t.Context(), runtimeapi.Config{
			Binary: filepath.Join(binaries, "sweep-secrets"), Env: append(slices.Clone(s.env), "SWEEP_AGE="+age),
		})
		if err == nil {
			f.Stop()
			t.Fatalf("it started with %s", age)
		}
		if !strings.Contains(err.Error(), "SWEEP_AGE") {
			t.Errorf("%v does not name the variable", err)
		}
	}
}
