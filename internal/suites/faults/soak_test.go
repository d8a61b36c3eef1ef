package faults_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/database"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"
)

// soakTime is short by default, since the soak is part of the suite.
var soakTime = flag.Duration("soak", 10*time.Second, "how long the soak takes")

const (
	soakers = 8
	// warmUp fills caches and pools of buffers.
	warmUp = 3 * time.Second
	// maxGrowth is the growth of the heap, in bytes, that counts as noise. A leak in
	// each of some thousand requests is much larger.
	maxGrowth = 2 << 20
)

// TestFaults_Soak makes random requests about the same few names from many workers,
// with random faults of AWS and of the connection to the target. It is not
// parallel, since it measures the process.
func TestFaults_Soak(t *testing.T) {
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
		t.Errorf("%d file descriptors, %d before", after.files, before.files)
	}
	if after.heap > before.heap+maxGrowth {
		t.Errorf("%d bytes on the heap, %d before", after.heap, before.heap)
	}
	if err := s.checkSoaked(ctx, source(t)); err != nil {
		t.Error(err)
	}
}

// soakDetails returns the details of events by user, with a customer's secret for
// each user.
func (s *stack) soakDetails(ctx context.Context, payload map[string]any) (map[string]map[string]any, error) {
	details := map[string]map[string]any{}
	for user, password := range logins() {
		p := maps.Clone(payload)
		p["username"], p["password"] = user, string(password)
		var err error
		if details[user], err = s.share(ctx, s.theirs()+user, p); err != nil {
			return nil, err
		}
	}
	return details, nil
}

// soak runs the workers for a time. Afterwards everything they opened is closed.
func soak(t *testing.T, s *stack, details map[string]map[string]any, d time.Duration) *tally {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	all, payload := newTally(), source(t)
	var workers errgroup.Group
	for i := range soakers {
		workers.Go(func() error { return s.soakOne(ctx, uint64(i), payload, details, all) })
	}
	workers.Go(func() error { return s.soakSweeps(ctx) })
	if err := workers.Wait(); err != nil {
		t.Error(err)
	}
	return all
}

// soakSweeps sweeps secrets that are older than a minute, as the schedule sweeps
// those older than an hour. A minute is longer than any request takes, late ones
// included.
func (s *stack) soakSweeps(ctx context.Context) error {
	const every, hour = 15 * time.Second, 59 * time.Minute
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	mine, err := openStack(s.Stack, false)
	if err != nil {
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

// resources are the resources that this process uses.
type resources struct {
	heap              uint64
	resident          int64
	files, goroutines int
}

func (p resources) String() string {
	return fmt.Sprintf("%6d KiB on the heap, %6d KiB resident, %3d file descriptors, %3d goroutines", p.heap>>10, p.resident>>10, p.files, p.goroutines)
}

func measure() resources {
	const collections = 3 // what a finalizer or a pool refers to takes more than one
	for range collections {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p := resources{heap: m.HeapAlloc, goroutines: runtime.NumGoroutine()}
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

// checkSoaked checks what the workers left and deletes it. Afterwards every name
// must be usable, and a sweep must leave nothing.
func (s *stack) checkSoaked(ctx context.Context, payload map[string]any) error {
	c, err := s.Contents(ctx)
	if err != nil {
		return err
	}
	if len(c.Names) != len(c.Databases) {
		return fmt.Errorf("%w: %d names for %d databases", errBlocked, len(c.Names), len(c.Databases))
	}
	for name := range c.Names {
		if err := s.checkLogin(ctx, s.direct, name); err != nil {
			return err
		}
		if _, err := s.direct.Delete(ctx, account, name, database.DeleteOptions{}); err != nil {
			return fmt.Errorf("%w: %w", errBlocked, err)
		}
	}
	for _, name := range soakNames() {
		p := maps.Clone(payload)
		p["name"] = name
		if err := createAs(ctx, s.direct.Service, p, ""); err != nil {
			return fmt.Errorf("%w: %w", errBlocked, err)
		}
		if _, err := s.direct.Delete(ctx, account, name, database.DeleteOptions{}); err != nil {
			return err
		}
	}
	return s.checkEmpty(ctx)
}

// checkEmpty fails if anything remains after a sweep.
func (s *stack) checkEmpty(ctx context.Context) error {
	const sweeps = 2 // the second must not fail for what the first one has done
	for range sweeps {
		report, err := s.sweep(ctx)
		if err != nil {
			return fmt.Errorf("sweep %d secrets with %d orphans: %w", report.Seen, report.Orphans, err)
		}
	}
	c, err := s.Contents(ctx)
	if err != nil {
		return err
	}
	if len(c.Secrets) > 0 {
		return fmt.Errorf("%w: secrets %v", errOrphan, c.Secrets)
	}
	if len(c.Databases) > 0 || len(c.Names) > 0 {
		return errors.New("a database remains")
	}
	return nil
}
