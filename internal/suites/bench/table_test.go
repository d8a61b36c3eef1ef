package bench_test

import (
	"math"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/suites/bench"
)

func TestRow_Holds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		value float64
		holds bool
	}{
		{"below", 8.9, true},
		{"at the goal", 9, true},
		{"above", 9.001, false},
		{"0 divided by 0", math.NaN(), false},
		{"1 divided by 0", math.Inf(1), false},
	} {
		if got := (bench.Row{Value: c.value, Limit: 9}).Holds(); got != c.holds {
			t.Errorf("%s: holds is %t, want %t", c.name, got, c.holds)
		}
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		values []time.Duration
		want   time.Duration
	}{
		{"none", nil, 0},
		{"one", []time.Duration{7}, 7},
		{"an odd number, in any order", []time.Duration{9, 1, 1000, 2, 5}, 5},
		{"an even number", []time.Duration{40, 10, 20, 1000}, 30},
	} {
		if got := bench.Median(c.values); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	values := []int{3, 1, 2}
	bench.Median(values)
	if values[0] != 3 {
		t.Error("the argument was sorted")
	}
}
