package verdicts_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// figures are what the run came to, as one table.
func figures(outcomes []outcome, took time.Duration) string {
	agreed, rounds := 0, 0
	var slowest outcome
	seen, run, odd, unapplied := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	notApplied := map[string]bool{}
	for _, o := range outcomes {
		if o.took > slowest.took {
			slowest = o
		}
		if o.err == nil && len(o.disagreements) == 0 {
			agreed++
		}
		for _, c := range o.seen {
			seen[string(c)]++
		}
		for _, c := range o.fixesRun {
			rounds++
			run[string(c)]++
		}
		for _, d := range o.disagreements {
			odd[d.code]++
		}
		for _, text := range o.notApplied {
			code, _, _ := strings.Cut(text, ":")
			unapplied[code]++
			notApplied[regexp.MustCompile(`_\d+`).ReplaceAllString(text, "")] = true
		}
	}
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(&text, "%d scenes, %d agreements, %d fixes run, %v, of which %v went into %s\n",
		len(outcomes), agreed, rounds, took.Round(time.Second), slowest.took.Round(time.Millisecond), slowest.scene)
	fmt.Fprintln(w, "code\tseen\tfixes run\tfixes not applied\tdisagreements\t")
	var never []string
	for _, c := range allCodes() {
		if seen[c] == 0 {
			never = append(never, c)
			continue
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t\n", c, seen[c], run[c], unapplied[c], odd[c])
	}
	_ = w.Flush() // a builder takes everything
	fmt.Fprintf(&text, "never seen: %s\n", strings.Join(never, ", "))
	for _, line := range slices.Sorted(maps.Keys(notApplied)) {
		fmt.Fprintf(&text, "not applied: %s\n", line)
	}
	return text.String()
}
