// Package publisher configures the publisher of changes.
package publisher

import (
	"log/slog"
	"time"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/catalog"
	"github.com/headgate/headgate/internal/eventbus"
	"github.com/headgate/headgate/internal/publish"
)

// Open returns the publisher that env configures. Errors name the variable that is
// missing or malformed.
func Open(env *awsenv.Env, log *slog.Logger) (*publish.Publisher, error) {
	dynamoDB, table, err := env.DynamoDB()
	if err != nil {
		return nil, err
	}
	eventBridge, bus, err := env.Bus()
	if err != nil {
		return nil, err
	}
	sqs, queue, err := env.Queue("DEAD_LETTER_QUEUE_URL")
	if err != nil {
		return nil, err
	}
	return &publish.Publisher{
		Catalog: catalog.Open(dynamoDB, table), Bus: eventbus.Open(eventBridge, bus),
		DeadLetters: publish.OpenQueue(sqs, queue), Now: time.Now, Log: log,
	}, nil
}
