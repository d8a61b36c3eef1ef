package check

import (
	"bytes"
	"encoding/json"
	"math"
)

const (
	// MaxReport bounds the findings of a report, and the warnings of a database, in
	// bytes as they are sent.
	MaxReport = 64 << 10

	// maxFix bounds one fix. A fix is left out rather than cut, since half a statement
	// can do something else.
	maxFix = 8 << 10
	// maxBare bounds a finding whose details are left out.
	maxBare = 300
)

// SentSize returns the size of v in a response: as JSON within a JSON string, which is
// what the body of a function's response is.
func SentSize(v any) int {
	b, err := json.Marshal(v)
	if err != nil {
		return math.MaxInt
	}
	return len(b) + bytes.Count(b, []byte{'"'}) + bytes.Count(b, []byte{'\\'})
}

// Bounded returns r with at most MaxReport bytes. What does not fit is left out, the
// details of warnings before those of failures, and the messages say so.
func (r Report) Bounded() Report {
	bounded := make(Report, len(r))
	left := MaxReport - maxBare*len(r)
	for _, status := range []Status{Failed, Warned, Passed, Skipped} {
		for i, e := range r {
			if e.Status != status {
				continue
			}
			if SentSize(e.Fix) > maxFix {
				e.Fix = ""
				e.Message += "; the fix is too long to be shown"
			}
			if size := SentSize(e) - maxBare; size > left {
				e.Message, e.Fix = "the details are left out, because the report would have more than 64 KiB", ""
			} else if size > 0 {
				left -= size
			}
			bounded[i] = e
		}
	}
	return bounded
}

// BoundedWarnings returns warnings within the limits of a report.
func BoundedWarnings(warnings []Warning) []Warning {
	var r Report
	for _, w := range warnings {
		r = append(r, Warn(w.Name, w.Code, w.Message, w.Fix))
	}
	return r.Bounded().Warnings()
}
