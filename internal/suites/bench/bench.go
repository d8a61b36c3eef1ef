// Package bench compares headgate with a naive implementation and with the goals
// for its speed, on a real Postgres and moto.
package bench

import (
	"context"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// The numbers of samples. Programs that are compared take turns, so that a slow
// moment of the machine affects all of them.
const (
	comparedStarts = 240
	otherStarts    = 60
	coldCreates    = 15
	warmCreates    = 20
)

// RoundTrip is the round-trip time of all connections over a distance.
const RoundTrip = 50 * time.Millisecond

// The measured programs.
const (
	ours  = "create-database"
	naive = "naive"
	hello = "hello"
	// floor makes a create's calls to AWS, and pinned makes them by earlier clients.
	floor  = "floor"
	pinned = "pinned"
)

// Run measures everything and writes the tables to out. It builds the functions
// of the repository that it runs in.
func Run(ctx context.Context, out io.Writer) error {
	return onScene(ctx, func(s *scene) error { return s.measure(ctx, out) })
}

// measure writes the goals and then the details.
func (s *scene) measure(ctx context.Context, out io.Writer) error {
	started, err := s.starts(ctx)
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
	binary, err := os.Stat(s.Path(ours))
	if err != nil {
		return err
	}
	inside, err := inProcess(ctx)
	if err != nil {
		return err
	}
	peer, err := s.debezium(ctx)
	if err != nil {
		return err
	}
	loaded, err := LoadDevServer(ctx, loadedCreates)
	if err != nil {
		return err
	}
	rows := append(started.rows(), cold.rows()...)
	rows = append(rows, Row{"binary of create-database", "MiB", mebibytes(binary.Size()), 12})
	rows = append(rows, cold.memoryRow())
	rows = append(rows, inside.rows()...)
	rows = append(rows, peer.row(), loaded.row())

	p := &printer{out: out}
	p.printf("%s on %d cores, %s/%s, PostgreSQL %s%s\n\n",
		runtime.Version(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, s.Postgres.Installation().Version, load())
	p.goals(rows)
	p.table(started.detail())
	p.table(cold.detail())
	p.table(warm.detail(cold))
	p.table(peer.detail())
	p.table(peer.verdictTable())
	return p.err
}

// load returns how busy the machine is, if the system reports it: times mean
// little if the load exceeds the number of cores.
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
