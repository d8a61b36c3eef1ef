// Package bench measures headgate beside a naive implementation and beside the
// limits that were set for it, on a real Postgres and a real moto.
package bench

import (
	"context"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// How often each thing is measured. What is compared is measured in turns, so that
// a slow moment of the machine meets all of it.
const (
	starts      = 61
	coldCreates = 15
	warmCreates = 20
)

// RoundTrip is that of every connection of the creates that are far from what
// they talk to.
const RoundTrip = 50 * time.Millisecond

// The programs that are measured beside the functions.
const (
	ours  = "create-database"
	naive = "naive"
	hello = "hello"
	// clients is hello with the SDK's clients that a create needs, and nothing else.
	clients = "clients"
)

// Run measures everything and writes the tables to out. It builds the functions
// from the repository that it is run in, and stops what it started.
func Run(ctx context.Context, out io.Writer) error {
	return onScene(ctx, func(s *scene) error { return s.measure(ctx, out) })
}

// measure prints what each part found, and the goals in the end.
func (s *scene) measure(ctx context.Context, out io.Writer) error {
	begun, err := s.starts(ctx)
	if err != nil {
		return err
	}
	cold, err := s.coldCreates(ctx)
	if err != nil {
		return err
	}
	warm, err := s.warmCreates(ctx)
	if err != nil {
		return err
	}
	size, err := s.size(ours)
	if err != nil {
		return err
	}
	inside, err := inProcess(ctx)
	if err != nil {
		return err
	}
	rows := []Row{begun.row()}
	rows = append(rows, cold.rows()...)
	rows = append(rows, Row{"binary of create-database", "MiB", mebibytes(size), 12})
	rows = append(rows, cold.memoryRow())
	rows = append(rows, inside.rows()...)

	p := &printer{out: out}
	p.printf("%s on %d cores, %s/%s, PostgreSQL %s%s\n\n",
		runtime.Version(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, s.postgres.Installation().Version, load())
	p.goals(rows)
	p.table(begun.detail())
	p.table(cold.detail())
	p.table(warm.detail(cold))
	return p.err
}

// load tells how busy the machine was, where the system says so: times mean little
// where it is above the number of cores.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	minute, _, _ := strings.Cut(string(text), " ")
	return ", load " + minute
}

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
