package bench_test

import (
	"testing"

	"github.com/headgate/headgate/internal/suites/bench"
)

func TestLoadDevServer(t *testing.T) {
	t.Parallel()
	const creates = 200
	load, err := bench.LoadDevServer(t.Context(), creates)
	if err != nil {
		t.Fatal(err)
	}
	for _, response := range load.Others {
		t.Error(response)
	}
	if load.Created == 0 || load.Created+load.Busy+len(load.Others) != creates {
		t.Errorf("%d created, %d busy, %d others", load.Created, load.Busy, len(load.Others))
	}
	t.Logf("%d created, %d busy", load.Created, load.Busy)
}
