// Package provision puts events on the stack's bus in EventBridge.
package provision

import (
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

const (
	// putTimeout bounds putting one event, putAttemptTimeout one attempt at it.
	putTimeout, putAttemptTimeout = 8 * time.Second, 2 * time.Second
)

// Source is the source of every event of ours.
const Source = "headgate"

// Client is what this package uses of the SDK's EventBridge client.
type Client interface {
	PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, opts ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

// Bus is one event bus. It is safe for concurrent use.
type Bus struct {
	client Client
	name   string
}

// NewBus makes a Bus on a client of EventBridge.
func NewBus(client Client, name string) *Bus { return &Bus{client: client, name: name} }

// OpenBus makes a Bus that is reached by config.
func OpenBus(config aws.Config, name string) *Bus {
	return NewBus(eventbridge.NewFromConfig(config), name)
}

// Put puts one event on the bus, within 8 seconds. An event that the bus did not
// take is an error, of the kind Throttled, Unavailable (it may have taken it after
// all) or Internal; one that it took may be delivered more than once.
func (b *Bus) Put(ctx context.Context, detailType string, detail any) error {
	body, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("encoding the event: %w", err)
	}
	in := &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		EventBusName: &b.name, Source: aws.String(Source), DetailType: &detailType, Detail: aws.String(string(body)),
	}}}
	policy := awsretry.Policy{Budget: putTimeout, Attempt: putAttemptTimeout, Read: readAnswer}
	err = awsretry.Do(ctx, policy, func(ctx context.Context) error { return b.put(ctx, in) })
	if err != nil {
		return awsretry.Error(err, fmt.Errorf("putting an event: %w", err), apierror.Unavailable)
	}
	return nil
}

// put makes one attempt. That the bus did not take the event is in the answer.
func (b *Bus) put(ctx context.Context, in *eventbridge.PutEventsInput) error {
	out, err := b.client.PutEvents(ctx, in, once)
	if err != nil {
		return err
	}
	for _, entry := range out.Entries {
		if entry.ErrorCode != nil {
			return &smithy.GenericAPIError{Code: *entry.ErrorCode, Message: "the event was not taken"}
		}
	}
	return nil
}

// once turns the SDK's own retries off: each attempt has its share of the time.
func once(o *eventbridge.Options) { o.Retryer = aws.NopRetryer{} }

// readAnswer takes an event that was not taken through a fault of the bus's for
// one that another attempt may bring there.
func readAnswer(err error, fault awsretry.Fault) awsretry.Fault {
	entry, ok := errors.AsType[*smithy.GenericAPIError](err)
	if ok && fault == awsretry.Unknown && (entry.Code == "InternalFailure" || entry.Code == "InternalException") {
		return awsretry.Contended
	}
	return fault
}
