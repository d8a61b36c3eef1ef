package schedule_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/health"
	"github.com/headgate/headgate/internal/health/schedule"
	"github.com/headgate/headgate/internal/testkit/faultwire"
	"github.com/headgate/headgate/internal/testkit/mototest"
)

var moto struct{ url string }

func TestMain(m *testing.M) {
	os.Exit(mototest.Main(m, func(s *mototest.Server) { moto.url = s.URL() }))
}

// index has databases by shard. A shard of broken can't be read to its end.
type index struct {
	refs   [database.CheckShards][]database.Ref
	broken map[int]bool
}

func newIndex(n int) *index {
	x := &index{broken: map[int]bool{}}
	for i := range n {
		ref := database.Ref{Account: fmt.Sprintf("account-%d", i%7), DatabaseID: uuid.Must(uuid.NewV7()).String()}
		x.refs[ref.Shard()] = append(x.refs[ref.Shard()], ref)
	}
	return x
}

func (x *index) ToCheck(ctx context.Context, shard int) iter.Seq2[database.Ref, error] {
	return func(yield func(database.Ref, error) bool) {
		for _, ref := range x.refs[shard] {
			if !yield(ref, ctx.Err()) {
				return
			}
		}
		if x.broken[shard] {
			yield(database.Ref{}, errors.New("broken"))
		}
	}
}

// bench is a scheduler over a queue of moto's.
type bench struct {
	schedule.Scheduler
	t    *testing.T
	wire *faultwire.Wire
}

func newBench(t *testing.T, x *index) *bench {
	t.Helper()
	wire := faultwire.New(t)
	queue, err := sqs.NewFromConfig(mototest.Config(moto.url)).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("q-" + uuid.NewString())})
	if err != nil {
		t.Fatal(err)
	}
	return &bench{schedule.Scheduler{Index: x, Queue: schedule.Open(wire.Config(moto.url), *queue.QueueUrl), Log: slog.New(slog.DiscardHandler)}, t, wire}
}

// queued returns the databases of all messages that the queue was sent, with the number
// of times that each was sent.
func (b *bench) queued() (databases map[string]int, batches int) {
	b.t.Helper()
	databases = map[string]int{}
	requests := b.wire.Requests("SendMessageBatch")
	for _, request := range requests {
		var in struct {
			Entries []struct{ MessageBody string }
		}
		if err := json.Unmarshal([]byte(request), &in); err != nil {
			b.t.Fatal(err)
		}
		for _, entry := range in.Entries {
			var m health.Message
			if err := json.Unmarshal([]byte(entry.MessageBody), &m); err != nil {
				b.t.Fatal(err)
			}
			if len(m.Databases) > health.MaxDatabases {
				b.t.Errorf("a message has %d databases", len(m.Databases))
			}
			for _, ref := range m.Databases {
				databases[ref.DatabaseID]++
			}
		}
	}
	return databases, len(requests)
}

func TestSchedule_AllDatabases(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{0: 0, 1: 1, 5000: 64} {
		b := newBench(t, newIndex(n))
		answer, err := b.Schedule(t.Context())
		databases, batches := b.queued()
		if err != nil || answer.Queued != n || len(databases) != n {
			t.Errorf("%d databases: answer %+v, error %v, %d queued", n, answer, err, len(databases))
		}
		if batches > want {
			t.Errorf("%d databases: %d calls, want at most %d", n, batches, want)
		}
	}
}

func TestSchedule_Faults(t *testing.T) {
	t.Parallel()
	t.Run("a queue that throttles gets everything in the end", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, newIndex(300))
		throttled := faultwire.Answer(http.StatusBadRequest, "RequestThrottled", nil)
		b.wire.Script("SendMessageBatch", throttled, throttled, faultwire.LoseRequest, faultwire.LoseAnswer, faultwire.Pass)
		answer, err := b.Schedule(t.Context())
		if databases, _ := b.queued(); err != nil || answer.Queued != 300 || len(databases) != 300 {
			t.Errorf("answer %+v, error %v, %d queued", answer, err, len(databases))
		}
	})
	t.Run("messages that the queue did not take are sent again, and no others", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, newIndex(300))
		partial := faultwire.Answer(http.StatusOK, "", map[string]any{
			"Successful": []any{}, "Failed": []any{map[string]any{"Id": "0", "Code": "InternalError", "SenderFault": false}},
		})
		b.wire.Script("SendMessageBatch", partial, faultwire.Pass)
		answer, err := b.Schedule(t.Context())
		databases, _ := b.queued()
		twice := 0
		for _, n := range databases {
			if n > 1 {
				twice++
			}
		}
		if err != nil || answer.Queued != 300 || twice == 0 || twice > health.MaxDatabases {
			t.Errorf("answer %+v, error %v, %d sent twice", answer, err, twice)
		}
	})
	t.Run("a shard that can't be read costs no other", func(t *testing.T) {
		t.Parallel()
		x := newIndex(300)
		x.broken[3] = true
		b := newBench(t, x)
		answer, err := b.Schedule(t.Context())
		if databases, _ := b.queued(); err == nil || !strings.Contains(err.Error(), "shard 3") || answer.Queued != 300 || len(databases) != 300 {
			t.Errorf("answer %+v, error %v, %d queued", answer, err, len(databases))
		}
	})
	t.Run("it ends before its time does", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, newIndex(300))
		b.wire.Script("SendMessageBatch", faultwire.Hang)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if answer, err := b.Schedule(ctx); err == nil || answer.Queued != 0 || ctx.Err() != nil {
			t.Errorf("answer %+v, error %v, context %v", answer, err, ctx.Err())
		}
	})
}
