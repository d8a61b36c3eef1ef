package bench

import (
	"context"
	"fmt"
	"time"
)

// warmFigures has creates by processes that have made one before.
type warmFigures struct {
	far     map[string][]warmCreate
	nearCPU map[string]time.Duration // of warmCreates creates and a cold one
}

type warmCreate struct {
	took    time.Duration
	traffic traffic
}

func (s *scene) warmCreates(ctx context.Context) (warmFigures, error) {
	w := warmFigures{map[string][]warmCreate{}, map[string]time.Duration{}}
	for _, program := range []string{ours, naive} {
		var err error
		if w.far[program], _, err = s.warm(ctx, program, s.far); err != nil {
			return w, err
		}
		if _, w.nearCPU[program], err = s.warm(ctx, program, s.near); err != nil {
			return w, err
		}
	}
	return w, nil
}

// warm makes a cold create and then the warm ones. It returns the warm ones and the
// CPU time of all.
func (s *scene) warm(ctx context.Context, program string, n *network) ([]warmCreate, time.Duration, error) {
	f, err := s.start(ctx, program, n)
	if err != nil {
		return nil, 0, err
	}
	defer f.Stop()
	if _, err := s.create(ctx, f, n); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", program, err)
	}
	var creates []warmCreate
	for range warmCreates {
		before := n.traffic()
		took, err := s.create(ctx, f, n)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", program, err)
		}
		creates = append(creates, warmCreate{took, n.traffic().minus(before)})
	}
	f.Stop()
	return creates, f.CPUTime(), nil
}

func (w warmFigures) detail(cold coldFigures) [][]string {
	rows := [][]string{{fmt.Sprintf("a warm create, median of %d", warmCreates), "headgate", "naive"}}
	count := func(name string, property func(traffic) int) {
		value := func(program string) string {
			return amount(float64(medianOf(w.far[program], func(x warmCreate) int { return property(x.traffic) })), "")
		}
		rows = append(rows, []string{name, value(ours), value(naive)})
	}
	took := func(program string) string {
		return amount(milliseconds(medianOf(w.far[program], func(x warmCreate) time.Duration { return x.took })), "ms")
	}
	cpu := func(program string) string {
		return amount(milliseconds((w.nearCPU[program]-cold.cpu(program))/warmCreates), "ms")
	}
	rows = append(rows, []string{"at 50 ms", took(ours), took(naive)})
	count("connections to Postgres", postgresConnections)
	count("round trips to Postgres", postgresTrips)
	count("connections to AWS", awsConnections)
	count("round trips to AWS", awsTrips)
	return append(rows, []string{"CPU at 0 ms (mean)", cpu(ours), cpu(naive)})
}
