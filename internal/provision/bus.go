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

// source is the source of every event that headgate puts on the bus.
const source = "headgate"

// putTimeout bounds putting one event, putAttemptTimeout one attempt at it.
const (
	putTimeout        = 8 * time.Second
	putAttemptTimeout = 2 * time.Second
)

// Bus is one event bus. It is safe for concurrent use.
type Bus struct {
	client *eventbridge.Client
	name   string
}

// OpenBus returns the bus of that name. The SDK's own retries are off, because
// each attempt has its share of the time.
func OpenBus(config aws.Config, name string) *Bus {
	client := eventbridge.NewFromConfig(config, func(o *eventbridge.Options) { o.Retryer = aws.NopRetryer{} })
	return &Bus{client: client, name: name}
}

// Put puts one event on the bus within 8 seconds. The error's kind is Throttled,
// Unavailable (the bus may have taken the event) or Internal. An event may be
// delivered more than once.
func (b *Bus) Put(ctx context.Context, detailType string, detail any) error {
	body, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("encode event %s: %w", detailType, err)
	}
	in := &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		EventBusName: &b.name, Source: aws.String(source), DetailType: &detailType, Detail: aws.String(string(body)),
	}}}
	policy := awsretry.Policy{Timeout: putTimeout, AttemptTimeout: putAttemptTimeout, Classify: readEntryError}
	err = awsretry.Do(ctx, policy, func(ctx context.Context) error { return b.put(ctx, in) })
	if err != nil {
		return awsretry.DomainError(err, fmt.Errorf("put event %s: %w", detailType, err), apierror.Unavailable)
	}
	return nil
}

// put makes one attempt. A response of success can hold an event that failed.
func (b *Bus) put(ctx context.Context, in *eventbridge.PutEventsInput) error {
	out, err := b.client.PutEvents(ctx, in)
	if err != nil {
		return err
	}
	for _, entry := range out.Entries {
		if entry.ErrorCode != nil {
			return &smithy.GenericAPIError{Code: *entry.ErrorCode, Message: "the bus did not take the event"}
		}
	}
	return nil
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
