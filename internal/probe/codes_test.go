package probe_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

// state is a state that a target can be in, and what the probe has to say of it.
type state struct {
	cause string
	// bring makes a source that is in the state.
	bring func(t *testing.T) *source
	// fix is what the finding says of how to mend it.
	fix fix
	// mend does what a fix in words says.
	mend func(s *source)
	// more is true where other checks fail too and are not mended with it.
	more bool
	// since is the first major version that has such a state.
	since int
}

// fix is the kind of a finding's fix.
type fix int

const (
	none  fix = iota // there is nothing to say, or it does not matter here
	words            // it says what to do
	sql              // it is a statement
)

// finding is where a code stands in a report.
type finding struct {
	check  string
	status check.Status
	states []state
}

// findings has every code of the contract's table, with the states that it is
// tried in.
func findings() map[check.Code]finding {
	all := map[check.Code]finding{}
	for _, some := range []map[check.Code]finding{
		reachFindings(), tlsFindings(), loginFindings(), standbyFindings(), serverFindings(),
		publicationFindings(), slotFailureFindings(), slotWarningFindings(), orderFindings(), tableFindings(),
	} {
		maps.Copy(all, some)
	}
	return all
}

// TestTheServerIsOfTheVersionAskedFor also makes the version a part of what go
// test takes into account before it repeats a result.
func TestTheServerIsOfTheVersionAskedFor(t *testing.T) {
	t.Parallel()
	if want := os.Getenv(pgtest.MajorVariable); want != "" && want != strconv.Itoa(major()) {
		t.Errorf("the server is of version %d, want %s", major(), want)
	}
}

func TestEveryCode(t *testing.T) {
	t.Parallel()
	for code, f := range findings() {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			for _, st := range f.states {
				if major() < st.since {
					continue
				}
				t.Run(st.cause, func(t *testing.T) {
					t.Parallel()
					try(t, code, f, st)
				})
			}
		})
	}
}

// try brings a source into the state, looks for the code, and mends it.
func try(t *testing.T, code check.Code, f finding, st state) {
	t.Helper()
	s := st.bring(t)
	report := s.probe()
	c, ok := entry(report, code)
	if !ok {
		t.Fatalf("there is no %s in%s", code, describe(report))
	}
	if c.Name != f.check || c.Status != f.status || c.Message == "" {
		t.Errorf("got %+v, want check %s to have the status %s and a message", c, f.check, f.status)
	}
	holdsNoPassword(t, report)
	mended := mendable(t, st, c)
	if t.Failed() || !mended {
		return
	}
	if st.fix == words {
		st.mend(s)
	} else {
		for _, c := range report {
			if c.Code == code {
				s.apply(c.Fix)
			}
		}
	}
	after := s.probe()
	if _, ok := entry(after, code); ok {
		t.Errorf("the fix %q did not mend %s:%s", c.Fix, code, describe(after))
	}
	if failure, failed := after.FirstFailure(); failed && !st.more {
		t.Errorf("after the fix %q %s is left:%s", c.Fix, failure.Code, describe(after))
	}
}

// mendable tells whether the fix of c can be tried, and checks its kind.
func mendable(t *testing.T, st state, c check.Entry) bool {
	t.Helper()
	verb, _, _ := strings.Cut(c.Fix, " ")
	isSQL := slices.Contains([]string{"ALTER", "CREATE", "DROP", "GRANT", "SELECT", "SET"}, verb)
	if isSQL != (st.fix == sql) || st.fix == words && c.Fix == "" {
		t.Errorf("the fix is %q, which is of another kind than expected", c.Fix)
	}
	return st.fix == sql || st.mend != nil
}

// holdsNoPassword looks for the source's password in the report, in the forms
// that text and JSON have it.
func holdsNoPassword(t *testing.T, report check.Report) {
	t.Helper()
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	quoted, err := json.Marshal(password)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(describe(report), password) || strings.Contains(string(text), strings.Trim(string(quoted), `"`)) {
		t.Error("the report has the password in it")
	}
}

func TestEveryCodeOfTheTableIsTried(t *testing.T) {
	t.Parallel()
	tried := findings()
	for _, c := range check.Table() {
		for _, d := range c.Codes {
			f := tried[d.Code]
			if len(f.states) == 0 {
				t.Errorf("no state is tried for %s", d.Code)
			}
			if f.check != c.Name || f.status != d.Status {
				t.Errorf("%s is tried as %s of %s, the table has it as %s of %s", d.Code, f.status, f.check, d.Status, c.Name)
			}
			delete(tried, d.Code)
		}
	}
	for code := range tried {
		t.Errorf("%s is tried and is not in the table", code)
	}
}
