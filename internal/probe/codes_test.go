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

// state is a state of a target, and the finding that the probe must report for it.
type state struct {
	cause string
	// setup returns a source in the state.
	setup func(t *testing.T) *source
	// fix is the kind of the finding's fix.
	fix fix
	// repair does what advice says.
	repair func(s *source)
	// otherFailures is true if other checks fail too, and still do after the repair.
	otherFailures bool
	// says is in the finding, as its message or its fix.
	says string
	// keeps fails the test if the fix has taken something away. It may be nil.
	keeps func(s *source)
	// minMajor is the first major version that has such a state.
	minMajor int
}

// fix is the kind of a finding's fix.
type fix int

const (
	noFix  fix = iota // there is none, or it is not tried
	advice            // it says what to do
	sql               // it is a statement
)

// finding is the check and the status of a code, and the states that have it.
type finding struct {
	check  string
	status check.Status
	states []state
}

// findings returns all codes of the API, each with the states that it is tried in.
func findings() map[check.Code]finding {
	all := map[check.Code]finding{}
	for _, part := range []map[check.Code]finding{
		reachFindings(), tlsFindings(), loginFindings(), standbyFindings(), serverFindings(),
		publicationFindings(), slotFailureFindings(), slotWarningFindings(), orderFindings(), tableFindings(), uncheckedFindings(), creationFindings(), iamFindings(),
	} {
		maps.Copy(all, part)
	}
	return all
}

// TestPostgres_MajorVersion also makes the variable a part of the key of go test's
// cache.
func TestPostgres_MajorVersion(t *testing.T) {
	t.Parallel()
	if want := os.Getenv(pgtest.MajorVariable); want != "" && want != strconv.Itoa(major()) {
		t.Errorf("the server's major version is %d, want %s", major(), want)
	}
}

func TestProbe_Codes(t *testing.T) {
	t.Parallel()
	for code, f := range findings() {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			for _, st := range f.states {
				if major() < st.minMajor {
					continue
				}
				t.Run(st.cause, func(t *testing.T) {
					t.Parallel()
					testState(t, code, f, st)
				})
			}
		})
	}
}

// testState sets up a source in the state, looks for the code, and applies the fix.
func testState(t *testing.T, code check.Code, f finding, st state) {
	t.Helper()
	s := st.setup(t)
	report := s.probe()
	c, ok := entry(report, code)
	if !ok {
		t.Fatalf("no %s in%s", code, describe(report))
	}
	if !strings.Contains(c.Message+c.Fix, st.says) {
		t.Errorf("got %q with the fix %q, want %q in it", c.Message, c.Fix, st.says)
	}
	if f.check != check.Any && c.Name != f.check || c.Status != f.status || c.Message == "" {
		t.Errorf("got %+v, want check %s to have the status %s and a message", c, f.check, f.status)
	}
	checkNoPassword(t, report)
	if applicable := checkFix(t, st, c); t.Failed() || !applicable {
		return
	}
	if st.fix == advice {
		st.repair(s)
	} else {
		for _, c := range report {
			if c.Code == code {
				s.applyFinding(c)
			}
		}
	}
	if st.keeps != nil {
		st.keeps(s)
	}
	after := s.probe()
	if _, ok := entry(after, code); ok {
		t.Errorf("after the fix %q there is still %s:%s", c.Fix, code, describe(after))
	}
	if failure, failed := after.FirstFailure(); failed && !st.otherFailures {
		t.Errorf("after the fix %q there is %s:%s", c.Fix, failure.Code, describe(after))
	}
}

// checkFix checks the kind of c's fix, and reports whether the fix can be applied.
func checkFix(t *testing.T, st state, c check.Entry) bool {
	t.Helper()
	verb, _, _ := strings.Cut(c.Fix, " ")
	isSQL := slices.Contains([]string{"ALTER", "CREATE", "DROP", "GRANT", "SELECT", "SET", "DO"}, verb)
	if isSQL != (st.fix == sql) || st.fix == advice && c.Fix == "" {
		t.Errorf("the fix is %q, want another kind", c.Fix)
	}
	return st.fix == sql || st.repair != nil
}

// checkNoPassword checks that the report, as text or as JSON, does not contain the
// source's password.
func checkNoPassword(t *testing.T, report check.Report) {
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
		t.Error("the report contains the password")
	}
}

func TestProbe_CodesAreComplete(t *testing.T) {
	t.Parallel()
	tried := findings()
	for _, c := range check.Table() {
		for _, d := range c.Codes {
			if d.Code == check.SlotShared {
				continue // no probe finds it: package database knows what is registered
			}
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
