package bench

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// startTimes has the samples of each program.
type startTimes struct {
	programs []string
	samples  map[string][]startTime
}

// startTime is the time from starting a process to its first request for an event,
// and the CPU time of the process, which ends right after. The CPU time depends
// less on other work on the machine.
type startTime struct{ toNext, cpu time.Duration }

func toNext(t startTime) time.Duration { return t.toNext }
func cpu(t startTime) time.Duration    { return t.cpu }

// startsOfCopy is how often a copy of a program is started.
const startsOfCopy = 5

// starts starts the programs as they are deployed: with no file of authorities, which
// only the requests to the stand-in for AWS need. Those that the goals compare start more
// often than the other functions.
func (s *scene) starts(ctx context.Context) (startTimes, error) {
	compared := []string{hello, floor, pinned, ours}
	others := append([]string{naive}, without(s.functions, ours)...)
	times := startTimes{slices.Concat(compared, others), map[string][]startTime{}}
	for i := range comparedStarts {
		if err := s.startAll(ctx, compared, i, times); err != nil {
			return times, err
		}
		if i%(comparedStarts/otherStarts) != 0 {
			continue
		}
		if err := s.startAll(ctx, others, i/(comparedStarts/otherStarts), times); err != nil {
			return times, err
		}
	}
	return times, nil
}

func without(programs []string, program string) []string {
	return slices.DeleteFunc(slices.Clone(programs), func(p string) bool { return p == program })
}

// startAll starts each program for the turn-th time.
func (s *scene) startAll(ctx context.Context, programs []string, turn int, times startTimes) error {
	if turn%startsOfCopy == 0 {
		if err := writeAlike(s.Machine, programs); err != nil {
			return err
		}
	}
	for _, program := range programs {
		f, err := s.Start(ctx, program, s.env(program, s.near))
		if err != nil {
			return err
		}
		f.Stop()
		times.samples[program] = append(times.samples[program], startTime{f.TimeToFirstNext(), f.CPUTime()})
	}
	return nil
}

// against returns a program's median as a ratio to another's.
func (t startTimes) against(program, other string, property func(startTime) time.Duration) float64 {
	return ratio(medianOf(t.samples[program], property), medianOf(t.samples[other], property))
}

func (t startTimes) rows() []Row {
	return []Row{
		{"create-database's spawn to first next, against the floor", "×", t.against(ours, floor, toNext), 1.05},
		{"the same, against hello-world", "×", t.against(ours, hello, toNext), 1.75},
		{"the floor's, against hello-world: by the SDK's clients", "×", t.against(floor, hello, toNext), noGoal},
		{"the floor's with earlier clients, against hello-world", "×", t.against(pinned, hello, toNext), noGoal},
	}
}

func (t startTimes) detail() [][]string {
	rows := [][]string{{fmt.Sprintf("spawn to first next, median of %d, for the first four of %d", otherStarts, comparedStarts), "time", "against hello-world", "against the floor", "CPU", "against hello-world", "against the floor"}}
	for _, program := range t.programs {
		row := []string{program}
		for _, property := range []func(startTime) time.Duration{toNext, cpu} {
			row = append(row, amount(milliseconds(medianOf(t.samples[program], property)), "ms"),
				amount(t.against(program, hello, property), "×"), amount(t.against(program, floor, property), "×"))
		}
		rows = append(rows, row)
	}
	return rows
}
