package functions_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/headgate/headgate/internal/sweep"
)

func TestSweep_YoungSecret(t *testing.T) {
	t.Parallel()
	f := newFunctions(t)
	(&client{t, f, "acme"}).call("POST", collection, newSource(t, "orders"), 201, nil)
	event, err := os.ReadFile("../../../events/sweep-secrets.json")
	if err != nil {
		t.Fatal(err)
	}
	var report sweep.Report
	if err := invoke(t, f.function("sweep-secrets"), json.RawMessage(event), &report); err != nil {
		t.Fatal(err)
	}
	if want := (sweep.Report{Seen: 1}); report != want {
		t.Errorf("report %+v, want %+v", report, want)
	}
	f.wantOne()
}

func TestSweep_InvalidAge(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	for _, age := range []string{"14m59s", "60", "-1h"} {
		f, err := s.Start(t.Context(), "sweep-secrets", append(slices.Clone(s.env), "SWEEP_AGE="+age))
		if err == nil {
			f.Stop()
			t.Fatalf("the function starts with the age %s", age)
		}
		if !contains(err.Error(), "SWEEP_AGE") {
			t.Errorf("error %v does not name the variable", err)
		}
	}
}
