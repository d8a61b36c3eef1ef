// Package eventbus puts headgate's events on an EventBridge bus.
package eventbus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/awsretry"
)

// Source is the source of every event that headgate puts on the bus.
const Source = "headgate"

// The limits of one request.
const (
	MaxEvents = 10
	// MaxBytes bounds the sum of the events' sizes.
	MaxBytes = 256 << 10
)

// putTimeout bounds putting events, putAttemptTimeout one attempt at it.
const (
	putTimeout        = 8 * time.Second
	putAttemptTimeout = 2 * time.Second
)

// Event is an event of source Source. Detail is a JSON object.
type Event struct {
	DetailType string
	Detail     []byte
}

// Size returns the size of e as EventBridge counts it.
func (e Event) Size() int { return len(Source) + len(e.DetailType) + len(e.Detail) }

// NewEvent returns an event with detail as JSON.
func NewEvent(detailType string, detail any) (Event, error) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(detail); err != nil {
		return Event{}, fmt.Errorf("encode event %s: %w", detailType, err)
	}
	return Event{detailType, bytes.TrimSuffix(body.Bytes(), []byte("\n"))}, nil
}

// ErrRefused says that the bus does not take the event, and never will.
var ErrRefused = errors.New("the bus refuses the event")

// Bus is one event bus. It is safe for concurrent use.
type Bus struct {
	client *eventbridge.Client
	name   string
}

// Open returns the bus of that name. The SDK's own retries are off, because each
// attempt has its share of the time.
func Open(config aws.Config, name string) *Bus {
	client := eventbridge.NewFromConfig(config, func(o *eventbridge.Options) { o.Retryer = aws.NopRetryer{} })
	return &Bus{client: client, name: name}
}

// Put puts one event on the bus within 8 seconds. The error's kind is Throttled,
// Unavailable (the bus may have taken the event) or Internal. An event may be
// delivered more than once.
func (b *Bus) Put(ctx context.Context, detailType string, detail any) error {
	event, err := NewEvent(detailType, detail)
	if err != nil {
		return err
	}
	if err := b.PutAll(ctx, []Event{event})[0]; err != nil {
		return awsretry.DomainError(err, fmt.Errorf("put event %s: %w", detailType, err), apierror.Unavailable)
	}
	return nil
}

// PutAll puts up to MaxEvents events of MaxBytes in total on the bus within 8 seconds,
// and retries those that the bus did not take. It returns an error for each event,
// nil where the bus took it. ErrRefused is final.
func (b *Bus) PutAll(ctx context.Context, events []Event) []error {
	p := put{bus: b, events: events, errs: make([]error, len(events))}
	for i := range events {
		p.pending = append(p.pending, i)
	}
	policy := awsretry.Policy{
		Timeout: putTimeout, AttemptTimeout: putAttemptTimeout, RetryThrottled: true, Classify: readEntryError,
	}
	if err := awsretry.Do(ctx, policy, p.attempt); err != nil {
		for _, i := range p.pending {
			p.errs[i] = err
		}
	}
	return p.errs
}

// put is one call of PutAll.
type put struct {
	bus    *Bus
	events []Event
	errs   []error
	// pending are the indexes of the events that the bus has neither taken nor refused.
	pending []int
}

// attempt puts the pending events. A response of success can hold events that failed.
func (p *put) attempt(ctx context.Context) error {
	in := &eventbridge.PutEventsInput{}
	for _, i := range p.pending {
		in.Entries = append(in.Entries, types.PutEventsRequestEntry{
			EventBusName: &p.bus.name, Source: aws.String(Source),
			DetailType: &p.events[i].DetailType, Detail: aws.String(string(p.events[i].Detail)),
		})
	}
	out, err := p.bus.client.PutEvents(ctx, in)
	if err != nil {
		return err
	}
	if len(out.Entries) != len(p.pending) {
		return fmt.Errorf("put %d events: the response has %d", len(p.pending), len(out.Entries))
	}
	var failed []int
	for n, entry := range out.Entries {
		i := p.pending[n]
		switch code := aws.ToString(entry.ErrorCode); {
		case code == "":
		case isRefusal(code):
			p.errs[i] = fmt.Errorf("%w: %s", ErrRefused, code)
		default:
			failed = append(failed, i)
			err = &smithy.GenericAPIError{Code: code, Message: "the bus did not take the event"}
		}
	}
	p.pending = failed
	return err
}

// isRefusal reports whether an error code of an event in a response is about the event
// itself. The others are about the bus or the permissions, which may change.
func isRefusal(code string) bool {
	return code == "InvalidArgument" || code == "MalformedDetail" || code == "RedactionFailure"
}

// readEntryError reads an internal failure of the bus as one that another attempt
// may get past: the bus did not take the event.
func readEntryError(err error, outcome awsretry.Outcome) awsretry.Outcome {
	entry, ok := errors.AsType[*smithy.GenericAPIError](err)
	if ok && outcome == awsretry.Ambiguous && (entry.Code == "InternalFailure" || entry.Code == "InternalException") {
		return awsretry.Contended
	}
	return outcome
}
