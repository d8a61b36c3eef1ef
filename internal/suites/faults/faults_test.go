package faults_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"

	"golang.org/x/sync/errgroup"
)

const (
	// maxCells is how many cells run at once: most of the time they wait.
	maxCells = 12
	// minCells is the least size of the matrix.
	minCells = 120
)

func TestFaults_Matrix(t *testing.T) {
	t.Parallel()
	payload, all := source(t), cells()
	if len(all) < minCells {
		t.Fatalf("%d cells, want at least %d", len(all), minCells)
	}
	outcomes := make([]outcome, len(all))
	var workers errgroup.Group
	workers.SetLimit(maxCells)
	for i, c := range all {
		workers.Go(func() error {
			outcomes[i] = c.run(t.Context(), payload)
			return nil
		})
	}
	_ = workers.Wait() // the outcomes have the errors
	for _, o := range outcomes {
		if o.err != nil {
			t.Errorf("%s: %v\n%s", o.cell, o.err, o.log)
		}
	}
	t.Log("\n" + figures(outcomes))
}

// row is a row of the figures.
type row struct {
	name                                                string
	cells, succeeded, survived                          int
	orphans, lost, blocked, half, other, behind, unused int
}

func (r *row) add(o outcome) {
	r.cells++
	count := func(n *int, condition bool) {
		if condition {
			*n++
		}
	}
	count(&r.succeeded, o.succeeded)
	count(&r.survived, o.err == nil)
	count(&r.behind, o.behind)
	count(&r.unused, o.unused)
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

// figures returns a table of the outcomes by operation, by fault, and in total.
func figures(outcomes []outcome) string {
	rows, byName := []*row{}, map[string]*row{}
	add := func(name string, o outcome) {
		if byName[name] == nil {
			byName[name] = &row{name: name}
			rows = append(rows, byName[name])
		}
		byName[name].add(o)
	}
	for _, o := range outcomes {
		add(o.cell.operation.name, o)
	}
	for _, o := range outcomes {
		add(string(o.cell.fault.kind)+" "+string(o.cell.fault.reach), o)
	}
	for _, o := range outcomes {
		add("total", o)
	}
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tcells\tfirst request succeeds\tno violation\torphaned secrets\tlost passwords\tblocked names\tincomplete states\tother violations\tAWSCURRENT behind\tunused versions\t")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n",
			r.name, r.cells, r.succeeded, r.survived, r.orphans, r.lost, r.blocked, r.half, r.other, r.behind, r.unused)
	}
	_ = w.Flush() // a strings.Builder never fails
	return text.String()
}
