package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/catalog"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/eventbus"
)

// reserve is how long before its deadline an invocation starts nothing more. What is
// left comes again.
const reserve = 15 * time.Second

// Catalog has the deleted databases that records refer to.
type Catalog interface {
	Deleted(ctx context.Context, account, id string) (database.Database, error)
}

// Bus takes events. PutAll returns an error for each event that it did not take.
type Bus interface {
	PutAll(ctx context.Context, events []eventbus.Event) []error
}

// DeadLetters keeps records that no retry can publish.
type DeadLetters interface {
	Send(ctx context.Context, record []byte, cause error) error
}

// Publisher publishes the records of the table's stream.
type Publisher struct {
	Catalog     Catalog
	Bus         Bus
	DeadLetters DeadLetters
	Now         func() time.Time
	Log         *slog.Logger
}

// Batch is an invocation's records. Each is decoded by itself, so that one that can't
// be decoded does not stop the others.
type Batch struct {
	Records []json.RawMessage
}

// Publish puts the events of a batch on the bus, in the order of the records. At the
// first record that fails and may succeed later it stops and returns that record's
// sequence number: Lambda invokes the function again from there. A record that can't
// ever be published goes to the dead letters, and the next one follows.
func (p *Publisher) Publish(ctx context.Context, b Batch) (events.DynamoDBEventResponse, error) {
	run := run{Publisher: p, databases: map[string]bool{}}
	failed, err := run.publish(ctx, b.Records)
	attrs := []any{"records", len(b.Records), "published", run.published, "dead_letters", run.dead}
	if err == nil {
		p.Log.InfoContext(ctx, "changes", attrs...)
		return events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{}}, nil
	}
	p.Log.ErrorContext(ctx, "changes", append(attrs, "error", err)...)
	number := sequenceNumber(failed)
	if number == "" {
		return events.DynamoDBEventResponse{}, err
	}
	return events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{{ItemIdentifier: number}}}, nil
}

// sequenceNumber returns that of a record, empty if it can't be read.
func sequenceNumber(record []byte) string {
	var r struct {
		DynamoDB struct{ SequenceNumber string }
	}
	_ = json.Unmarshal(record, &r) // the record is reported without it then
	return r.DynamoDB.SequenceNumber
}

// temporaryError is an error that may not come again.
type temporaryError struct{ error }

func (e temporaryError) Unwrap() error { return e.error }

func temporary(err error) error { return temporaryError{err} }

// run is the work on one batch.
type run struct {
	*Publisher
	// next are the events of the next request, and the records that they come from.
	next    []eventbus.Event
	records []json.RawMessage
	size    int
	// databases are those that have an event in the next request. A request has one
	// event for each at most: if the bus takes a part of it, none overtakes another.
	databases map[string]bool

	published, dead int
}

// publish returns the first record that has to come again, and why.
func (r *run) publish(ctx context.Context, records []json.RawMessage) (json.RawMessage, error) {
	for _, text := range records {
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < reserve {
			return r.first(text), errors.New("publish changes: the time is up")
		}
		if failed, err := r.add(ctx, text); err != nil {
			return failed, err
		}
	}
	return r.flush(ctx)
}

// first returns the first record that has not been published: one that waits for the
// next request, or else the one that follows.
func (r *run) first(following json.RawMessage) json.RawMessage {
	if len(r.records) > 0 {
		return r.records[0]
	}
	return following
}

// add adds a record's event to the next request. It sends the request first if the
// event does not fit into it.
func (r *run) add(ctx context.Context, text json.RawMessage) (json.RawMessage, error) {
	record, e, ok, err := r.read(ctx, text)
	if _, isTemporary := errors.AsType[temporaryError](err); isTemporary {
		// Those before it are sent as they would be otherwise.
		if failed, flushErr := r.flush(ctx); flushErr != nil {
			return failed, flushErr
		}
		return text, err
	}
	if err != nil {
		return r.bury(ctx, text, err)
	}
	if !ok {
		return nil, nil
	}
	id := record.Account + "/" + record.DatabaseID
	if len(r.next) == eventbus.MaxEvents || r.size+e.Size() > eventbus.MaxBytes || r.databases[id] {
		if failed, err := r.flush(ctx); err != nil {
			return r.earlier(failed, text), err
		}
	}
	r.next, r.records, r.size, r.databases[id] = append(r.next, e), append(r.records, text), r.size+e.Size(), true
	return nil, nil
}

// earlier returns the record that failed, which is before the one that follows.
func (r *run) earlier(failed, following json.RawMessage) json.RawMessage {
	if failed == nil {
		return following
	}
	return failed
}

// read returns what a record says, and its event if there is one. A panic becomes an
// error without its value.
func (r *run) read(ctx context.Context, text json.RawMessage) (record catalog.Record, e eventbus.Event, ok bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic with a %T", v)
		}
	}()
	if record, err = catalog.ParseRecord(text); err == nil {
		e, ok, err = r.change(ctx, record)
	}
	return record, e, ok, err
}

// bury moves a record to the dead letters.
func (r *run) bury(ctx context.Context, text json.RawMessage, cause error) (json.RawMessage, error) {
	if err := r.DeadLetters.Send(ctx, text, cause); err != nil {
		return r.first(text), errors.Join(cause, fmt.Errorf("send dead letter: %w", err))
	}
	r.dead++
	r.Log.ErrorContext(ctx, "a record could not be published", "sequence_number", sequenceNumber(text), "error", cause)
	return nil, nil
}

// flush sends the next request. It returns the first record whose event the bus did not
// take, which has to come again with all that follow.
func (r *run) flush(ctx context.Context) (json.RawMessage, error) {
	if len(r.next) == 0 {
		return nil, nil
	}
	sent := r.records
	errs := r.Bus.PutAll(ctx, r.next)
	r.next, r.records, r.size = nil, nil, 0
	clear(r.databases)
	for i, err := range errs {
		switch {
		case err == nil:
			r.published++
		case errors.Is(err, eventbus.ErrRefused):
			if _, err := r.bury(ctx, sent[i], err); err != nil {
				return sent[i], err
			}
		default:
			return sent[i], fmt.Errorf("put events: %w", err)
		}
	}
	return nil, nil
}
