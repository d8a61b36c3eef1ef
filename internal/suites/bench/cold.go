package bench

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

// coldFigures has the cold creates of headgate's function and of the naive one,
// without delay and over a distance.
type coldFigures struct{ near, far map[string][]coldCreate }

func (s *scene) coldCreates(ctx context.Context) (coldFigures, error) {
	c := coldFigures{map[string][]coldCreate{}, map[string][]coldCreate{}}
	compared := []string{ours, naive}
	for range coldCreates {
		if err := writeAlike(s.Machine, compared); err != nil {
			return c, err
		}
		for _, program := range compared {
			near, err := s.coldCreate(ctx, program, s.near)
			if err != nil {
				return c, err
			}
			far, err := s.coldCreate(ctx, program, s.far)
			if err != nil {
				return c, err
			}
			c.near[program], c.far[program] = append(c.near[program], near), append(c.far[program], far)
		}
	}
	return c, nil
}

func (c coldFigures) farTime(program string) time.Duration {
	return medianOf(c.far[program], coldCreate.total)
}

func (c coldFigures) nearTime(program string) time.Duration {
	return medianOf(c.near[program], coldCreate.total)
}

func (c coldFigures) cpu(program string) time.Duration {
	return medianOf(c.near[program], func(x coldCreate) time.Duration { return x.cpu })
}

// roundTrips returns how many round trips a cold create waits for in sequence: the
// time that the distance adds. Concurrent round trips count once.
func (c coldFigures) roundTrips(program string) float64 {
	return ratio(c.farTime(program)-c.nearTime(program), RoundTrip)
}

// minRoundTrips is roundTrips of the fastest creates, which other work on the
// machine affected least.
func (c coldFigures) minRoundTrips(program string) float64 {
	fastest := func(creates []coldCreate) time.Duration {
		return slices.MinFunc(creates, func(a, b coldCreate) int { return cmp.Compare(a.total(), b.total()) }).total()
	}
	return ratio(fastest(c.far[program])-fastest(c.near[program]), RoundTrip)
}

// counted returns a count of the traffic over a distance, which is the same for
// every create.
func (c coldFigures) counted(program string, property func(traffic) int) int {
	return medianOf(c.far[program], func(x coldCreate) int { return property(x.traffic) })
}

func postgresTrips(t traffic) int       { return t.postgres.RoundTrips }
func postgresConnections(t traffic) int { return t.postgres.Connections }
func awsTrips(t traffic) int            { return t.dynamo.RoundTrips + t.secrets.RoundTrips }
func awsConnections(t traffic) int      { return t.dynamo.Connections + t.secrets.Connections }

func (c coldFigures) rows() []Row {
	return []Row{
		{"round trips to Postgres, TLS and SCRAM, connection and all checks", "", float64(c.counted(ours, postgresTrips)), 6},
		{"connections to Postgres", "", float64(c.counted(ours, postgresConnections)), 1},
		{"a whole cold create, in round trips", "", c.roundTrips(ours), 9},
		{"a whole cold create at 50 ms, against the naive one", "×", ratio(c.farTime(ours), c.farTime(naive)), 0.33},
		{"a whole cold create at 0 ms, CPU, against the naive one", "×", ratio(c.cpu(ours), c.cpu(naive)), 0.54},
	}
}

func (c coldFigures) memoryRow() Row {
	return Row{"peak memory of a create", "MiB", mebibytes(c.memory(ours, func(m runtimeapi.Memory) int64 { return m.Peak })), 24}
}

func (c coldFigures) memory(program string, property func(runtimeapi.Memory) int64) int64 {
	return medianOf(c.near[program], func(x coldCreate) int64 { return property(x.memory) })
}

func (c coldFigures) detail() [][]string {
	rows := [][]string{{fmt.Sprintf("a whole cold create, median of %d", coldCreates), "headgate", "naive"}}
	line := func(name, unit string, value func(program string) float64) {
		rows = append(rows, []string{name, amount(value(ours), unit), amount(value(naive), unit)})
	}
	span := func(samples map[string][]coldCreate, property func(coldCreate) time.Duration) func(string) float64 {
		return func(program string) float64 { return milliseconds(medianOf(samples[program], property)) }
	}
	count := func(property func(traffic) int) func(string) float64 {
		return func(program string) float64 { return float64(c.counted(program, property)) }
	}
	size := func(property func(runtimeapi.Memory) int64) func(string) float64 {
		return func(program string) float64 { return mebibytes(c.memory(program, property)) }
	}
	line("at 50 ms, spawn to response", "ms", span(c.far, coldCreate.total))
	line("at 0 ms, spawn to response", "ms", span(c.near, coldCreate.total))
	line("of that, spawn to first next", "ms", span(c.near, func(x coldCreate) time.Duration { return x.init }))
	line("round trips in sequence: the difference by 50 ms", "", c.roundTrips)
	line("the same, of the fastest", "", c.minRoundTrips)
	line("CPU at 0 ms, of the whole process", "ms", func(program string) float64 { return milliseconds(c.cpu(program)) })
	line("connections to Postgres", "", count(postgresConnections))
	line("round trips to Postgres", "", count(postgresTrips))
	line("connections to AWS", "", count(awsConnections))
	line("round trips to AWS, some concurrent", "", count(awsTrips))
	line("peak memory (VmHWM)", "MiB", size(func(m runtimeapi.Memory) int64 { return m.Peak }))
	line("after the response, anonymous (RssAnon)", "MiB", size(func(m runtimeapi.Memory) int64 { return m.Anonymous }))
	line("after the response, mapped from the binary (RssFile)", "MiB", size(func(m runtimeapi.Memory) int64 { return m.Mapped }))
	return rows
}
