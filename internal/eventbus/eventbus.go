// Package eventbus puts events on the stack's bus in EventBridge.
package eventbus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
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

// New makes a Bus on a client of EventBridge.
func New(client Client, name string) *Bus { return &Bus{client: client, name: name} }

// Open makes a Bus that is reached by config.
func Open(config aws.Config, name string) *Bus { return New(eventbridge.NewFromConfig(config), name) }

// Put puts one event on the bus. An event that the bus did not take is an error;
// one that it took may be delivered more than once.
func (b *Bus) Put(ctx context.Context, detailType string, detail any) error {
	body, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("encoding the event: %w", err)
	}
	out, err := b.client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		EventBusName: &b.name, Source: aws.String(Source), DetailType: &detailType, Detail: aws.String(string(body)),
	}}})
	if err != nil {
		return fmt.Errorf("putting the event: %w", err)
	}
	for _, entry := range out.Entries {
		if entry.ErrorCode != nil {
			return fmt.Errorf("putting the event: %w", errors.New(*entry.ErrorCode))
		}
	}
	return nil
}
