package check_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/check"
)

func TestSafety_ReportBounded(t *testing.T) {
	t.Parallel()
	t.Run("a report within the limits stays as it is", func(t *testing.T) {
		t.Parallel()
		r := check.Report{{Name: check.Address, Status: check.Passed}, check.Warn(check.Tables, check.TablesUnreadable, "m", "f")}
		for i, e := range r.Bounded() {
			if e != r[i] {
				t.Errorf("%+v became %+v", r[i], e)
			}
		}
	})
	t.Run("a failure keeps its text where warnings lose theirs", func(t *testing.T) {
		t.Parallel()
		var r check.Report
		for range 50 {
			r = append(r, check.Warn(check.Tables, check.TablesUnreadable, strings.Repeat(`"`, 2000), strings.Repeat(`\`, 1000)))
		}
		r = append(r, check.Fail(check.Tables, check.ServerError, "the failure", "the fix"))
		bounded := r.Bounded()
		if size := len(sent(t, bounded)); size > check.MaxReport || len(bounded) != len(r) {
			t.Errorf("%d findings, %d bytes", len(bounded), size)
		}
		if bounded[50] != r[50] {
			t.Errorf("the failure is %+v", bounded[50])
		}
		if last := bounded[49]; last.Fix != "" || !strings.Contains(last.Message, "left out") {
			t.Errorf("the last warning is %+v", last)
		}
	})
	t.Run("a size is that of the response", func(t *testing.T) {
		t.Parallel()
		const quotes = 2 // around the string
		for _, text := range []string{"", "x", `"`, `\\`, "\n\u2028", "<é>"} {
			r := check.Report{check.Fail(check.Tables, check.ServerError, text, "")}
			if size, want := check.SentSize(r), len(sent(t, r))-quotes; size != want {
				t.Errorf("%q: %d bytes, want %d", text, size, want)
			}
		}
	})
	t.Run("a long fix is left out, and the message says so", func(t *testing.T) {
		t.Parallel()
		e := check.Report{check.Fail(check.Tables, check.ServerError, "m", strings.Repeat("x", 20_000))}.Bounded()[0]
		if e.Fix != "" || e.Message != "m; the fix is too long to be shown" {
			t.Errorf("%+v", e)
		}
	})
}

// sent returns v as it is in the response of a function: JSON within a JSON string.
func sent(t *testing.T, v any) []byte {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	response, err := json.Marshal(string(body))
	if err != nil {
		t.Fatal(err)
	}
	return response
}
