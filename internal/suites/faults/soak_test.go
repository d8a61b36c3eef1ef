package faults_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// soakTime is how long the soak takes: a few seconds with the suite, minutes by
// itself.
var soakTime = flag.Duration("soak", 10*time.Second, "how long the soak takes")

const (
	soakers = 8
	// warmUp fills what is filled once: caches, and pools of buffers.
	warmUp = 3 * time.Second
	// mostGrowth is by how many bytes the heap may be larger at the end: noise,
	// where a leak in each of some thousand operations is much more.
	mostGrowth = 2 << 20
)

// TestNothingIsLostAndNothingLeaksOverTime has many workers make random requests
// about the same few names, with random faults of the stores and on the way to the
// target. It is not parallel, since it measures the process.
func TestNothingIsLostAndNothingLeaksOverTime(t *testing.T) {
	ctx := t.Context()
	s, err := newStack(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	details, err := s.soakDetails(ctx, source(t))
	if err != nil {
		t.Fatal(err)
	}
	soak(t, s, details, warmUp)
	before, leaks := measure(), goleak.IgnoreCurrent()
	tally := soak(t, s, details, *soakTime)
	if err := goleak.Find(leaks); err != nil {
		t.Error(err)
	}
	after := measure()
	t.Logf("\nbefore %s\nafter  %s\n%s", before, after, tally)
	if after.files > before.files {
		t.Errorf("%d descriptors, %d before", after.files, before.files)
	}
	if after.heap > before.heap+mostGrowth {
		t.Errorf("%d bytes on the heap, %d before", after.heap, before.heap)
	}
	if err := s.soakEnds(ctx, source(t)); err != nil {
		t.Error(err)
	}
}

// soakDetails are the details of events, by user: their secrets are shared.
func (s *stack) soakDetails(ctx context.Context, payload map[string]any) (map[string]map[string]any, error) {
	details := map[string]map[string]any{}
	for user, password := range logins() {
		p := maps.Clone(payload)
		p["username"], p["password"] = user, string(password)
		var err error
		if details[user], err = s.shareAs(ctx, s.theirs()+user, p); err != nil {
			return nil, err
		}
	}
	return details, nil
}

// soak has the workers work for some time, and ends with all that they opened
// closed.
func soak(t *testing.T, s *stack, details map[string]map[string]any, d time.Duration) *tally {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	all, payload := newTally(), source(t)
	var workers sync.WaitGroup
	for i := range soakers {
		workers.Go(func() {
			if err := s.soakOne(ctx, uint64(i), payload, details, all); err != nil {
				t.Errorf("worker %d: %v", i, err)
			}
		})
	}
	workers.Go(func() {
		if err := s.soakSweeps(ctx); err != nil {
			t.Error(err)
		}
	})
	workers.Wait()
	return all
}

// soakSweeps has the secrets swept now and then that are older than a minute, as
// the schedule does with those older than an hour: longer than any request runs,
// and than what is late of one.
func (s *stack) soakSweeps(ctx context.Context) error {
	const every, hour = 15 * time.Second, 59 * time.Minute
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	mine := &stack{table: s.table, prefix: s.prefix}
	if err := mine.open(false); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return mine.close()
		case <-ticker.C:
		}
		if _, err := mine.sweepAhead(context.WithoutCancel(ctx), hour); err != nil {
			return errors.Join(err, mine.close())
		}
	}
}

// process is what a process has.
type process struct {
	heap              uint64
	resident          int64
	files, goroutines int
}

func (p process) String() string {
	return fmt.Sprintf("%6d KiB on the heap, %6d KiB resident, %3d descriptors, %3d goroutines", p.heap>>10, p.resident>>10, p.files, p.goroutines)
}

func measure() process {
	const collections = 3 // what a finalizer or a pool holds goes with the next ones
	for range collections {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p := process{heap: m.HeapAlloc, goroutines: runtime.NumGoroutine()}
	if files, err := os.ReadDir("/proc/self/fd"); err == nil {
		p.files = len(files)
	}
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		var size, pages int64
		if _, err := fmt.Sscan(string(text), &size, &pages); err == nil {
			p.resident = pages * int64(os.Getpagesize())
		}
	}
	return p
}

// soakEnds looks at what the workers left, and then has all of it removed: then
// nothing is left but what the sweep finds, and every name can be used.
func (s *stack) soakEnds(ctx context.Context, payload map[string]any) error {
	c, err := s.read(ctx)
	if err != nil {
		return err
	}
	if len(c.names) != len(c.databases) {
		return fmt.Errorf("%w: %d names for %d databases", errBlocked, len(c.names), len(c.databases))
	}
	for name := range c.names {
		if err := s.sound(ctx, s.direct, name); err != nil {
			return err
		}
		if _, err := s.direct.Delete(ctx, account, name); err != nil {
			return fmt.Errorf("%w: %w", errBlocked, err)
		}
	}
	for _, name := range soakNames() {
		p := maps.Clone(payload)
		p["name"] = name
		if err := createAs(ctx, s.direct.Service, p, ""); err != nil {
			return fmt.Errorf("%w: %w", errBlocked, err)
		}
		if _, err := s.direct.Delete(ctx, account, name); err != nil {
			return err
		}
	}
	return s.emptied(ctx)
}

// emptied fails where a sweep leaves a secret.
func (s *stack) emptied(ctx context.Context) error {
	const sweeps = 2 // the second finds nothing: so nothing is in the first one's way
	for range sweeps {
		report, err := s.sweep(ctx)
		if err != nil {
			return fmt.Errorf("the sweep of %d secrets with %d orphans: %w", report.Seen, report.Orphans, err)
		}
	}
	c, err := s.read(ctx)
	if err != nil {
		return err
	}
	if len(c.secrets) > 0 {
		return fmt.Errorf("%w: secrets %v", errOrphan, c.secrets)
	}
	if len(c.databases) > 0 || len(c.names) > 0 {
		return errors.New("a database is left")
	}
	return nil
}
