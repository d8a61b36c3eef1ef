package bench

import (
	"context"
	"fmt"
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

func (s *scene) starts(ctx context.Context) (startTimes, error) {
	times := startTimes{append([]string{hello, clients, naive}, s.functions...), map[string][]startTime{}}
	for range starts {
		for _, program := range times.programs {
			f, err := s.start(ctx, program, s.near)
			if err != nil {
				return times, err
			}
			f.Stop()
			times.samples[program] = append(times.samples[program], startTime{f.TimeToFirstNext(), f.CPUTime()})
		}
	}
	return times, nil
}

// againstHello returns a program's median as a ratio to hello's.
func (t startTimes) againstHello(program string, property func(startTime) time.Duration) float64 {
	return ratio(medianOf(t.samples[program], property), medianOf(t.samples[hello], property))
}

func (t startTimes) row() Row {
	return Row{"create-database's spawn to first next, against hello-world", "×", t.againstHello(ours, toNext), 1.5}
}

func (t startTimes) detail() [][]string {
	rows := [][]string{{fmt.Sprintf("spawn to first next, median of %d", starts), "time", "against hello-world", "CPU", "against hello-world"}}
	for _, program := range t.programs {
		row := []string{program}
		for _, property := range []func(startTime) time.Duration{toNext, cpu} {
			row = append(row, amount(milliseconds(medianOf(t.samples[program], property)), "ms"), amount(t.againstHello(program, property), "×"))
		}
		rows = append(rows, row)
	}
	return rows
}
