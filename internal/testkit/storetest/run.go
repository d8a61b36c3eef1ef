package storetest

import (
	"sync"
	"testing"
)

const racers = 32

// run runs the tests in parallel, each with a store that open returns.
func run[Store any](t *testing.T, tests map[string]func(*testing.T, Store), open func(*testing.T) Store) {
	t.Helper()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// Race makes n concurrent calls of do and returns their errors.
func Race(n int, do func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var calls sync.WaitGroup
	for i := range errs {
		calls.Go(func() {
			<-start
			errs[i] = do(i)
		})
	}
	close(start)
	calls.Wait()
	return errs
}
