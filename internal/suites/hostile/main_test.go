// Package hostile_test attacks the whole system: addresses that must not be
// dialled, names that break SQL and terminals, servers that do not keep to the
// protocol, servers that repeat the password, and callers with malformed requests.
// What is random follows from a seed, which is printed.
package hostile_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/testkit/deployment"
	"github.com/headgate/headgate/internal/testkit/pgserver"
)

var (
	seedFlag    = flag.Uint64("seed", 0, "what random choices follow from; 0 for a seed from the clock")
	serversFlag = flag.Int("servers", 120, "how many random hostile servers to make")
	callersFlag = flag.Int("callers", 3000, "how many random requests to send")

	seed uint64

	// machine has the servers and the functions. It takes some time to open, so the
	// first test that needs it does that.
	machine = sync.OnceValues(func() (*deployment.Machine, error) {
		return deployment.Open(context.Background(), pgserver.Options{
			Settings: map[string]string{"max_wal_senders": "60", "max_replication_slots": "60"},
		})
	})
	opened bool
)

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
	if opened {
		m, err := machine()
		if m != nil {
			err = errors.Join(err, m.Close())
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return status
}

// servers returns the machine's servers and functions.
func servers(t *testing.T) *deployment.Machine {
	t.Helper()
	opened = true
	m, err := machine()
	if err != nil {
		t.Fatal(err)
	}
	return m
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
