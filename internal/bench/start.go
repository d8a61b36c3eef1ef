package bench

import (
	"context"
	"fmt"
	"time"
)

// startTimes are the times from spawning a program to its asking for an event,
// by its name.
type startTimes struct {
	programs []string
	took     map[string][]time.Duration
}

func (s *scene) starts(ctx context.Context) (startTimes, error) {
	times := startTimes{append([]string{hello, naive}, s.functions...), map[string][]time.Duration{}}
	for range starts {
		for _, program := range times.programs {
			f, err := s.start(ctx, program, s.near)
			if err != nil {
				return times, err
			}
			times.took[program] = append(times.took[program], f.TimeToFirstNext())
			f.Stop()
		}
	}
	return times, nil
}

func (t startTimes) against(program string) float64 {
	return ratio(Median(t.took[program]), Median(t.took[hello]))
}

func (t startTimes) row() Row {
	return Row{"create-database's spawn to first next, against hello-world", "×", t.against(ours), 1.5}
}

func (t startTimes) detail() [][]string {
	rows := [][]string{{fmt.Sprintf("spawn to first next, median of %d", starts), "time", "against hello-world"}}
	for _, program := range t.programs {
		rows = append(rows, []string{program, amount(milliseconds(Median(t.took[program])), "ms"), amount(t.against(program), "×")})
	}
	return rows
}
