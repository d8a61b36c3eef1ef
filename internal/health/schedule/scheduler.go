// Package schedule puts the databases that are due for a check on the queue that
// check-database reads.
package schedule

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/health"
)

const (
	// reportTime is how long before its deadline an invocation stops, to report.
	reportTime = 2 * time.Second
	// maxConcurrentShards bounds the shards that are read at a time.
	maxConcurrentShards = 4
)

// Index has the databases to check.
type Index interface {
	// ToCheck returns the databases of one of database.CheckShards shards.
	ToCheck(ctx context.Context, shard int) iter.Seq2[database.Ref, error]
}

// Queue takes messages.
type Queue interface {
	// Send sends up to MaxBatch messages. The error's kind is Throttled, Unavailable (the
	// queue may have taken some) or Internal.
	Send(ctx context.Context, messages []health.Message) error
}

// Scheduler queues all databases with an active slot.
type Scheduler struct {
	Index Index
	Queue Queue
	Log   *slog.Logger
}

// Scheduled is the answer of an invocation.
type Scheduled struct {
	// Queued is the number of databases that were put on the queue.
	Queued int `json:"queued"`
}

// Schedule queues every database once. It ends 2 seconds before ctx, and logs its
// answer, because nothing reads the response to a schedule's event. The shards begin at
// a random one, so that none is left out each time if the time is too short. A shard
// that can't be read costs no other.
func (s *Scheduler) Schedule(ctx context.Context) (Scheduled, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-reportTime))
		defer cancel()
	}
	var (
		queued atomic.Int64
		shards errgroup.Group
		errs   = make([]error, database.CheckShards)
	)
	shards.SetLimit(maxConcurrentShards)
	for _, shard := range rand.Perm(database.CheckShards) {
		shards.Go(func() error {
			n, err := s.queueShard(ctx, shard)
			queued.Add(int64(n))
			if err != nil {
				errs[shard] = fmt.Errorf("queue shard %d: %w", shard, err)
			}
			return nil
		})
	}
	_ = shards.Wait() // the errors are in errs
	answer, err := Scheduled{Queued: int(queued.Load())}, errors.Join(errs...)
	if err != nil {
		s.Log.ErrorContext(ctx, "not all checks scheduled", "queued", answer.Queued, "error", err)
		return answer, err
	}
	s.Log.InfoContext(ctx, "checks scheduled", "queued", answer.Queued)
	return answer, nil
}

// queueShard queues the databases of a shard, and returns their number.
func (s *Scheduler) queueShard(ctx context.Context, shard int) (queued int, err error) {
	var batch []health.Message
	send := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := s.Queue.Send(ctx, batch); err != nil {
			return err
		}
		for _, m := range batch {
			queued += len(m.Databases)
		}
		batch = nil
		return nil
	}
	for ref, err := range s.Index.ToCheck(ctx, shard) {
		if err != nil {
			return queued, errors.Join(err, send())
		}
		last := len(batch) - 1
		if last < 0 || len(batch[last].Databases) == health.MaxDatabases {
			if len(batch) == MaxBatch {
				if err := send(); err != nil {
					return queued, err
				}
			}
			batch = append(batch, health.Message{})
			last = len(batch) - 1
		}
		batch[last].Databases = append(batch[last].Databases, ref)
	}
	return queued, send()
}
