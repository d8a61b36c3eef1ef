package bench_test

import (
	"testing"

	"github.com/headgate/headgate/internal/bench"
)

// The figures of the issue: a goal that holds is kept.
func TestDecodingValidatingAndEncodingTakeAtMost60Allocations(t *testing.T) {
	const most = 60
	body := []byte(`{"name":"orders","hostname":"db.example.com","port":5432,"database":"shop","username":"cdc",
		"password":"not-a-real-one","ssl":true,"replication_slots":[{"publication_name":"orders_pub","slot_name":"orders_slot"}]}`)
	allocations := testing.AllocsPerRun(100, func() {
		if err := bench.AnswerCreate(body); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%v allocations", allocations)
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
