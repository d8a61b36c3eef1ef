package faults_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
)

const (
	// width is how many cells run side by side: most of the time they wait.
	width = 12
	// fewest is how many cells there are at least.
	fewest = 120
)

func TestNothingIsLostWhateverBreaks(t *testing.T) {
	t.Parallel()
	target, all := source(t), cells()
	if len(all) < fewest {
		t.Fatalf("%d cells, want at least %d", len(all), fewest)
	}
	outcomes := make([]outcome, len(all))
	places := make(chan int)
	var workers sync.WaitGroup
	for range width {
		workers.Go(func() {
			for i := range places {
				outcomes[i] = all[i].run(t.Context(), target)
			}
		})
	}
	for i := range all {
		places <- i
	}
	close(places)
	workers.Wait()
	for _, o := range outcomes {
		if o.err != nil {
			t.Errorf("%s: %v\n%s", o.cell, o.err, o.log)
		}
	}
	t.Log("\n" + figures(outcomes))
}

// row is a line of the figures.
type row struct {
	name                                               string
	cells, answered, survived                          int
	orphans, lost, blocked, half, other, behind, extra int
}

func (r *row) add(o outcome) {
	r.cells++
	count := func(n *int, so bool) {
		if so {
			*n++
		}
	}
	count(&r.answered, o.answered)
	count(&r.survived, o.err == nil)
	count(&r.behind, o.behind)
	count(&r.extra, o.unused)
	switch {
	case o.err == nil:
	case errors.Is(o.err, errOrphan):
		r.orphans++
	case errors.Is(o.err, errLost):
		r.lost++
	case errors.Is(o.err, errBlocked):
		r.blocked++
	case errors.Is(o.err, errHalf):
		r.half++
	default:
		r.other++
	}
}

// figures are the outcomes as a table: by operation, by fault, and together.
func figures(outcomes []outcome) string {
	rows, places := []*row{}, map[string]*row{}
	add := func(name string, o outcome) {
		if places[name] == nil {
			places[name] = &row{name: name}
			rows = append(rows, places[name])
		}
		places[name].add(o)
	}
	for _, o := range outcomes {
		add(o.cell.operation.name, o)
	}
	for _, o := range outcomes {
		add(string(o.cell.fault.kind)+" "+string(o.cell.fault.reach), o)
	}
	for _, o := range outcomes {
		add("together", o)
	}
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tcells\tanswered at once\tsurvived\torphans left\tpasswords lost\tnames blocked\thalf states\tother failures\tAWSCURRENT behind\tunused versions\t")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n",
			r.name, r.cells, r.answered, r.survived, r.orphans, r.lost, r.blocked, r.half, r.other, r.behind, r.extra)
	}
	_ = w.Flush() // a builder takes everything
	return text.String()
}
