package verdicts_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/egress"
	"github.com/headgate/headgate/internal/probe"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

var (
	scenesFlag = flag.Int("scenes", 30, "how many scenes to generate")
	seedFlag   = flag.Uint64("seed", 0, "the first scene's seed; 0 for one from the clock")
	sceneFlag  = flag.String("scene", "", "one scene as JSON, in place of the generated ones")
)

const (
	// workers is how many scenes run side by side.
	workers = 2
	// maxShrunk bounds the disagreements that are made smaller.
	maxShrunk = 40
)

var shared *servers

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	installation, err := pgtest.Installation(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shared = &servers{installation: installation}
	defer shared.stop()
	return m.Run()
}

// newJudge judges headgate as it is.
func newJudge(t *testing.T) judge {
	t.Helper()
	policy, err := egress.New("127.0.0.0/8,::1/128", "")
	if err != nil {
		t.Fatal(err)
	}
	return judge{prober: probe.New(policy), servers: shared, major: shared.installation.Major, fixes: true}
}

func TestVerdicts(t *testing.T) {
	all, seed := toJudge(t)
	t.Logf("PostgreSQL %d, seed %d, %d scenes", shared.installation.Major, seed, len(all))
	j := newJudge(t)
	begin := time.Now()
	outcomes := j.judgeAll(t.Context(), all)
	took := time.Since(begin)
	shrunk := map[string]bool{}
	for _, o := range outcomes {
		if o.err != nil {
			t.Errorf("%s", o.describe())
		}
		for _, d := range o.disagreements {
			if shrunk[d.signature()] || len(shrunk) >= maxShrunk {
				continue
			}
			shrunk[d.signature()] = true
			t.Errorf("%s\n%s", d.signature(), j.shrink(t.Context(), o, d.signature()).describe())
		}
	}
	t.Log("\n" + figures(outcomes, took))
}

// toJudge are the scenes to judge, the corpus first, and the first one's seed.
func toJudge(t *testing.T) ([]scene, uint64) {
	t.Helper()
	major := shared.installation.Major
	if *sceneFlag != "" {
		return []scene{parseScene(t, *sceneFlag)}, 0
	}
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().Unix())
	}
	all := corpus(t, major)
	for i := range *scenesFlag {
		all = append(all, generate(seed+uint64(i), major))
	}
	return all, seed
}

// judgeAll judges scenes side by side, and returns the outcomes in their order.
func (j judge) judgeAll(ctx context.Context, all []scene) []outcome {
	outcomes := make([]outcome, len(all))
	places := make(chan int)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := range places {
				outcomes[i] = j.judge(ctx, all[i])
			}
		})
	}
	for i := range all {
		places <- i
	}
	close(places)
	group.Wait()
	return outcomes
}
