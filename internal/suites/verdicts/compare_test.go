package verdicts_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/headgate/headgate/internal/check"
)

// disagreement is one point on which headgate and the consumer are at odds.
type disagreement struct {
	// kind and code make the same disagreement recognisable in another scene.
	kind string
	code string
	what string
}

func (d disagreement) signature() string { return d.kind + " " + d.code }
func (d disagreement) String() string    { return d.kind + ": " + d.what }

const (
	falseAlarm    = "false alarm"
	silence       = "silence"
	fixRefused    = "the fix does not run"
	fixUseless    = "the fix does not help"
	fixHarmful    = "the fix harms"
	fixNotApplied = "the fix can't be applied by a machine"
	notMended     = "not mended after three rounds"
)

// compare holds a report against what has to be said.
func compare(report check.Report, troubles []trouble, tags []string) []disagreement {
	var all []disagreement
	for _, f := range findings(report) {
		if why := unjustified(f, troubles, tags); why != "" {
			all = append(all, disagreement{falseAlarm, string(f.Code), fmt.Sprintf("%s: %s (%s)", f.Code, f.Message, why)})
		}
	}
	for _, t := range troubles {
		if !t.optional && !told(t, report) && !excused(t, report) {
			all = append(all, disagreement{silence, fmt.Sprint(t.codes), fmt.Sprintf("%s, and the report has none of %v", t.what, t.codes)})
		}
	}
	return append(all, gone(report)...)
}

// gone are the checks that an accepted target was spared without a word. A standby's
// does not apply to a primary, and that of TLS not to a server without it.
func gone(report check.Report) []disagreement {
	if _, failed := report.FirstFailure(); failed {
		return nil
	}
	var all []disagreement
	for _, e := range report {
		if e.Status == check.Skipped && e.Name != check.TLS && e.Name != check.Standby {
			all = append(all, disagreement{silence, e.Name, "the check " + e.Name + " is skipped, and nothing says why"})
		}
	}
	return all
}

func findings(report check.Report) []check.Entry {
	return slices.DeleteFunc(slices.Clone(report), func(e check.Entry) bool {
		return e.Status != check.Failed && e.Status != check.Warned
	})
}

// unjustified says why a finding is not true, empty where it is.
func unjustified(f check.Entry, troubles []trouble, tags []string) string {
	true_ := slices.DeleteFunc(slices.Clone(troubles), func(t trouble) bool { return !slices.Contains(t.codes, f.Code) })
	if len(true_) == 0 {
		return "nothing of the kind happened"
	}
	about := slices.ContainsFunc(true_, func(t trouble) bool { return t.table != "" })
	for _, tag := range tags {
		has := slices.ContainsFunc(true_, func(t trouble) bool { return t.table == tag })
		if about && strings.Contains(f.Message, tag) && !has {
			return "nothing of the kind happened to " + tag
		}
	}
	return ""
}

// told reports whether the report has the trouble, by the table's name where it is
// about one, or says that its check could not be made.
func told(t trouble, report check.Report) bool {
	return slices.ContainsFunc(findings(report), func(f check.Entry) bool {
		if f.Code == notChecked {
			// The check of the publication looks at its tables too.
			return slices.ContainsFunc(t.codes, func(c check.Code) bool {
				return checkOf(c) == f.Name || f.Name == check.Tables && checkOf(c) == check.Publication
			})
		}
		// A long list is cut: "and 24 more".
		named := t.table == "" || strings.Contains(f.Message+f.Fix, t.table) || strings.Contains(f.Message, " more: ")
		return slices.Contains(t.codes, f.Code) && named
	})
}

// excused reports whether headgate could not know: it did not come so far, and says
// so by skipping the check.
func excused(t trouble, report check.Report) bool {
	if _, failed := report.FirstFailure(); !failed {
		return false
	}
	for _, code := range t.codes {
		name := checkOf(code)
		for _, e := range report {
			if e.Name == name && e.Status == check.Skipped {
				return true
			}
		}
	}
	return false
}
