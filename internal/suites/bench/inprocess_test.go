package bench_test

import (
	"testing"

	"github.com/headgate/headgate/internal/suites/bench"
)

// Other tests beside it would be counted too.
func TestDecodingValidatingAndEncodingTakeAtMost60Allocations(t *testing.T) {
	const most = 60
	allocations := testing.AllocsPerRun(100, func() {
		if err := bench.AnswerCreate(); err != nil {
			t.Fatal(err)
		}
	})
	if allocations > most {
		t.Errorf("%v allocations, want at most %d", allocations, most)
	}
}

func TestAListIsOfAsManyAsAreMeasured(t *testing.T) {
	t.Parallel()
	for _, many := range []int{1, 1000} {
		list, err := bench.Lister(many)
		if err != nil {
			t.Fatal(err)
		}
		if err := list(t.Context()); err != nil {
			t.Errorf("a list of %d: %v", many, err)
		}
	}
}
