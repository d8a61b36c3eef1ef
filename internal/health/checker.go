package health

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/requestlog"
)

// operation is the function's name, in the log and as a dimension of metrics.
const operation = "check-database"

// Checker checks the databases that messages name.
type Checker struct {
	Service *database.Service
	Log     *slog.Logger
	// Namespace is the metrics' namespace in CloudWatch, empty for none.
	Namespace string
	// PerDatabase turns on the metrics of each database, retained_bytes and healthy.
	PerDatabase bool
}

// Check checks the databases that the messages of e name, and returns the messages to
// try again: those with a database that could not be checked because of a store, and
// those that can't be read, which the queue moves to its dead-letter queue in the end.
func (c *Checker) Check(ctx context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
	began := time.Now()
	ctx, cancel := database.WithBudget(requestlog.Start(ctx))
	defer cancel()
	ctx = database.WithOrigin(ctx, database.Origin{RequestID: requestID(ctx)})
	var (
		refs     []database.Ref
		messages []string // the message of each of refs
	)
	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}} // [] in JSON, not null
	failed := map[string]bool{}
	for _, record := range e.Records {
		message, err := decode(record.Body)
		if err != nil {
			failed[record.MessageId] = true
			c.Log.ErrorContext(ctx, "message not read", "message_id", record.MessageId, "error", err)
			continue
		}
		for _, ref := range message.Databases {
			refs, messages = append(refs, ref), append(messages, record.MessageId)
		}
	}
	counts := counter{}
	for i, checked := range c.Service.CheckHealth(ctx, refs) {
		counts.add(checked)
		c.report(ctx, checked)
		if retry(checked.Err) {
			failed[messages[i]] = true
		}
	}
	for _, record := range e.Records {
		if failed[record.MessageId] {
			response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: record.MessageId})
		}
	}
	c.summarize(ctx, counts, began)
	return response, nil
}

// retry reports whether another attempt may get past err. A defect stays, and the next
// check meets it again.
func retry(err error) bool {
	if err == nil {
		return false
	}
	switch apierror.KindOf(err) {
	case apierror.Throttled, apierror.Unavailable, apierror.UnknownOutcome:
		return true
	}
	return false
}

// report logs what became of one database: a change, an error, and its metrics.
func (c *Checker) report(ctx context.Context, checked database.Checked) {
	about := []any{"account", checked.Ref.Account, "database", checked.Ref.DatabaseID}
	switch {
	case checked.Err != nil:
		c.Log.ErrorContext(ctx, "database not checked", append(about, "error", checked.Err)...)
		return
	case checked.Skipped:
		return
	case checked.Changed:
		c.Log.InfoContext(ctx, "health changed", append(about, "status", string(checked.Health.Status), "checks", checked.Health.Checks.Codes())...)
	}
	if !c.PerDatabase || c.Namespace == "" {
		return
	}
	healthy := 0
	if checked.Health.Status == database.HealthHealthy {
		healthy = 1
	}
	metrics := []requestlog.Metric{{Name: "healthy", Unit: "Count", Value: int64(healthy)}}
	if retained := checked.Health.Slot.RetainedBytes; retained != nil {
		metrics = append(metrics, requestlog.Metric{Name: "retained_bytes", Unit: "Bytes", Value: *retained})
	}
	c.Log.InfoContext(ctx, "health", append(about, requestlog.Metrics(c.Namespace, time.Now(), []string{"database"}, metrics...)...)...)
}

// counter counts databases by what became of them.
type counter struct{ checked, degraded, failing, skipped, unchecked int }

func (c *counter) add(checked database.Checked) {
	switch {
	case checked.Err != nil:
		c.unchecked++
		return
	case checked.Skipped:
		c.skipped++
		return
	}
	c.checked++
	switch checked.Health.Status {
	case database.HealthDegraded:
		c.degraded++
	case database.HealthFailing:
		c.failing++
	}
}

// summarize logs the line of the invocation, from whose counts template.yaml makes the
// metrics of all databases together.
func (c *Checker) summarize(ctx context.Context, n counter, began time.Time) {
	c.Log.InfoContext(ctx, requestlog.Invocation, "operation", operation, "request_id", requestID(ctx), "duration_ms", time.Since(began).Milliseconds(),
		"checked", n.checked, "degraded", n.degraded, "failing", n.failing, "unchecked", n.unchecked, "skipped", n.skipped)
}

// requestID returns the ID of the invocation.
func requestID(ctx context.Context) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return fmt.Sprintf("check-%d", time.Now().UnixNano())
}
