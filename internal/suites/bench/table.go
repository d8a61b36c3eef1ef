package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Row is one figure and its goal.
type Row struct {
	Figure string
	Unit   string
	Value  float64
	// Limit is the greatest value that reaches the goal, or noGoal.
	Limit float64
}

// noGoal is the limit of a figure that explains another one.
const noGoal = -1

// Holds reports whether the goal is reached. NaN does not reach it.
func (r Row) Holds() bool { return r.Value <= r.Limit }

func (r Row) cells() []string {
	holds := "yes"
	if r.Limit == noGoal {
		return []string{r.Figure, "", amount(r.Value, r.Unit), ""}
	}
	if !r.Holds() {
		holds = "no"
	}
	return []string{r.Figure, "at most " + amount(r.Limit, r.Unit), amount(r.Value, r.Unit), holds}
}

// amount formats a value with one or two decimals, without trailing zeros.
func amount(value float64, unit string) string {
	text := fmt.Sprintf("%.2f", value)
	if value >= 10 {
		text = fmt.Sprintf("%.1f", value)
	}
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	switch unit {
	case "":
		return text
	case "×":
		return text + unit
	}
	return text + " " + unit
}

// Median returns the middle value, the mean of the middle two for an even number of
// values, and 0 for none.
func Median[T ~int | ~int64 | ~float64](values []T) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return sorted[middle-1] + (sorted[middle]-sorted[middle-1])/2
}

// medianOf returns the median of one property of the samples.
func medianOf[S any, T ~int | ~int64 | ~float64](samples []S, property func(S) T) T {
	values := make([]T, len(samples))
	for i, s := range samples {
		values[i] = property(s)
	}
	return Median(values)
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

// printer writes tables in Markdown. After an error it writes nothing more.
type printer struct {
	out io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format, args...)
	}
}

func (p *printer) goals(rows []Row) {
	cells := [][]string{{"figure", "goal", "measured", "holds"}}
	for _, r := range rows {
		cells = append(cells, r.cells())
	}
	p.table(cells)
}

// table prints rows of cells; the first row has the columns' names.
func (p *printer) table(rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, cells := range rows {
		for i, c := range cells {
			widths[i] = max(widths[i], len([]rune(c)))
		}
	}
	for n, cells := range rows {
		for i, c := range cells {
			p.printf("| %s%s ", c, strings.Repeat(" ", widths[i]-len([]rune(c))))
		}
		p.printf("|\n")
		if n == 0 {
			for _, w := range widths {
				p.printf("|%s", strings.Repeat("-", w+2))
			}
			p.printf("|\n")
		}
	}
	p.printf("\n")
}
