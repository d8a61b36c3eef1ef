// Package hostile_test attacks the whole system: addresses that must not be
// dialled, names that break SQL and terminals, servers that do not keep to the
// protocol, servers that repeat the password, and callers with malformed requests.
// What is random follows from a seed, which is printed.
package hostile_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/testkit/deployment"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

var (
	seedFlag    = flag.Uint64("seed", 0, "what random choices follow from; 0 for a seed from the clock")
	serversFlag = flag.Int("servers", 120, "how many random hostile servers to make")
	serverFlag  = flag.Int("server", -1, "the number of the only random hostile server to make")
	callersFlag = flag.Int("callers", 3000, "how many random requests to send")

	seed uint64

	// postgres is opened by the first test that needs it, and so is machine, which has
	// the functions and its own Postgres.
	postgres = onDemand[*pgserver.Server]{open: func(ctx context.Context) (*pgserver.Server, error) {
		installation, err := pgtest.Installation(ctx)
		if err != nil {
			return nil, err
		}
		return pgserver.Start(ctx, pgserver.Options{
			Installation: installation,
			Settings:     map[string]string{"max_wal_senders": "80", "max_replication_slots": "80"},
		})
	}}
	machine = onDemand[*deployment.Machine]{open: func(ctx context.Context) (*deployment.Machine, error) {
		return deployment.Open(ctx, pgserver.Options{})
	}}
)

// onDemand is what the first test that needs it opens.
type onDemand[T any] struct {
	open func(context.Context) (T, error)

	once   sync.Once
	opened bool
	value  T
	err    error
}

func (d *onDemand[T]) get(t *testing.T) T {
	t.Helper()
	d.once.Do(func() {
		// The value outlives the test.
		if d.value, d.err = d.open(context.Background()); d.err == nil {
			d.opened = true
		}
	})
	if d.err != nil {
		t.Fatal(d.err)
	}
	return d.value
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	if seed = *seedFlag; seed == 0 {
		seed = uint64(time.Now().UnixNano()) % 1_000_000_000
	}
	fmt.Printf("seed %d\n", seed)
	stop := watchMemory()
	status := m.Run()
	stop()
	fmt.Print(total.table())
	if postgres.opened {
		postgres.value.Stop()
	}
	if machine.opened {
		if err := machine.value.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return status
}

// random returns a source of random choices that follow from the seed, what they
// are for, and a number.
func random(purpose string, number int) *rand.Rand {
	stream := uint64(number)
	for _, c := range []byte(purpose) {
		stream = stream*31 + uint64(c)
	}
	return rand.New(rand.NewPCG(seed, stream))
}

// pick returns one of the choices.
func pick[T any](r *rand.Rand, choices []T) T { return choices[r.IntN(len(choices))] }
