// Package schedule configures the scheduler of checks.
package schedule

import (
	"log/slog"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/catalog"
	"github.com/headgate/headgate/internal/health/schedule"
)

// Open returns the scheduler that env configures. Errors name the variable that is
// missing or malformed.
func Open(env *awsenv.Env, log *slog.Logger) (*schedule.Scheduler, error) {
	dynamoDB, table, err := env.DynamoDB()
	if err != nil {
		return nil, err
	}
	sqs, url, err := env.Queue("CHECK_QUEUE_URL")
	if err != nil {
		return nil, err
	}
	return &schedule.Scheduler{Index: catalog.Open(dynamoDB, table), Queue: schedule.Open(sqs, url), Log: log}, nil
}
