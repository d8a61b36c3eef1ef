package bench_test

import (
	"testing"

	"github.com/headgate/headgate/internal/suites/bench"
)

// It is not parallel, because the allocations of other tests would count too.
func TestAnswerCreate_Allocations(t *testing.T) {
	const limit = 60
	allocations := testing.AllocsPerRun(100, func() {
		if err := bench.AnswerCreate(); err != nil {
			t.Fatal(err)
		}
	})
	if allocations > limit {
		t.Errorf("%v allocations, want at most %d", allocations, limit)
	}
}

func TestLister_Count(t *testing.T) {
	t.Parallel()
	for _, count := range []int{1, 1000} {
		list, err := bench.Lister(count)
		if err != nil {
			t.Fatal(err)
		}
		if err := list(t.Context()); err != nil {
			t.Errorf("list %d: %v", count, err)
		}
	}
}
