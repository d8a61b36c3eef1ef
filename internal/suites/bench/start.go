package bench

import (
	"context"
	"fmt"
	"time"
)

// startTimes are what the starts of programs took, by their names.
type startTimes struct {
	programs []string
	took     map[string][]startTime
}

// startTime is the time from spawning a program to its asking for an event, and
// the CPU time until its end, which follows. The latter tells more where other
// work is on the machine.
type startTime struct{ waited, cpu time.Duration }

func waited(t startTime) time.Duration { return t.waited }
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
			times.took[program] = append(times.took[program], startTime{f.TimeToFirstNext(), f.CPUTime()})
		}
	}
	return times, nil
}

// against is how much longer a program takes than the least one.
func (t startTimes) against(program string, property func(startTime) time.Duration) float64 {
	return ratio(medianOf(t.took[program], property), medianOf(t.took[hello], property))
}

func (t startTimes) row() Row {
	return Row{"create-database's spawn to first next, against hello-world", "×", t.against(ours, waited), 1.5}
}

func (t startTimes) detail() [][]string {
	rows := [][]string{{fmt.Sprintf("spawn to first next, median of %d", starts), "time", "against hello-world", "CPU", "against hello-world"}}
	for _, program := range t.programs {
		row := []string{program}
		for _, property := range []func(startTime) time.Duration{waited, cpu} {
			row = append(row, amount(milliseconds(medianOf(t.took[program], property)), "ms"), amount(t.against(program, property), "×"))
		}
		rows = append(rows, row)
	}
	return rows
}
