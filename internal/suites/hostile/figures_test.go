package hostile_test

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// figures are what the run came to. They are safe for concurrent use.
type figures struct {
	mu     sync.Mutex
	counts map[string]int
	modes  map[string]bool
	// statuses and codes count the answers and the findings in them.
	statuses map[int]int
	codes    map[string]int

	longest, longestTarget time.Duration
	largest, peak          int
}

// total has the figures of all tests.
var total = &figures{counts: map[string]int{}, modes: map[string]bool{}, statuses: map[int]int{}, codes: map[string]int{}}

// The counts that have a line of their own.
const (
	addressesTried   = "addresses tried"
	addressesDialled = "addresses dialled that must not be"
	namesTried       = "hostile names"
	fixesRun         = "fixes run"
	serversMade      = "hostile servers"
	messagesSent     = "messages of hostile servers"
	echoesTried      = "echoes of a password"
	leaksFound       = "leaks"
	requestsSent     = "requests"
	serverErrors     = "answers of 5xx"
)

func (f *figures) add(what string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[what] += n
}

// mode notes a way in which a server or a caller was hostile.
func (f *figures) mode(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.modes[name] = true
}

// answer notes an answer: its size as Lambda would send it, the time it took, and
// whether a target was asked for it.
func (f *figures) answer(status, size int, took time.Duration, target bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[requestsSent]++
	if status >= 500 {
		f.counts[serverErrors]++
	}
	f.largest, f.longest = max(f.largest, size), max(f.longest, took)
	if target {
		f.longestTarget = max(f.longestTarget, took)
	}
}

// outcome notes the status of an answer and the codes of its findings.
func (f *figures) outcome(status int, codes []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.statuses[status]++
	for _, code := range codes {
		f.codes[code]++
	}
}

func (f *figures) table() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, what := range []string{
		addressesTried, namesTried, fixesRun, serversMade, messagesSent, echoesTried, requestsSent,
		serverErrors, leaksFound, addressesDialled,
	} {
		fmt.Fprintf(w, "%s\t%d\t\n", what, f.counts[what])
	}
	fmt.Fprintf(w, "modes\t%d\t\n", len(f.modes))
	fmt.Fprintf(w, "longest answer\t%v\t\n", f.longest.Round(time.Millisecond))
	fmt.Fprintf(w, "longest answer about a target\t%v\t\n", f.longestTarget.Round(time.Millisecond))
	fmt.Fprintf(w, "largest answer\t%d bytes\t\n", f.largest)
	fmt.Fprintf(w, "peak memory in use\t%d MiB\t\n", f.peak>>20)
	for _, status := range slices.Sorted(maps.Keys(f.statuses)) {
		fmt.Fprintf(w, "answers of %d\t%d\t\n", status, f.statuses[status])
	}
	fmt.Fprintf(w, "codes of findings\t%d\t\n", len(f.codes))
	_ = w.Flush() // a builder takes everything
	return text.String()
}

// watchMemory notes the peak of the memory in use by this process, hostile servers
// included, until stop is called. It includes what the garbage collector has not yet
// freed.
func watchMemory() (stop func()) {
	done := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		ticks := time.NewTicker(10 * time.Millisecond)
		defer ticks.Stop()
		for {
			inUse := memoryInUse()
			total.notePeak(inUse)
			if inUse > memoryToEnd {
				endForMemory(inUse)
			}
			select {
			case <-ticks.C:
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		ended.Wait()
	}
}

// memoryToEnd is how many bytes in use end the run at once: the machine has other
// work.
const memoryToEnd = 1 << 30

// endForMemory ends the process, and prints what it was doing.
func endForMemory(inUse int) {
	stacks := make([]byte, 1<<20)
	fmt.Fprintf(os.Stderr, "%d MiB of memory in use\n%s\n", inUse>>20, stacks[:runtime.Stack(stacks, true)])
	os.Exit(1)
}

func (f *figures) notePeak(bytes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.peak = max(f.peak, bytes)
}

// memoryInUse returns the bytes of the heap's objects.
func memoryInUse() int {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return int(sample[0].Value.Uint64())
}
