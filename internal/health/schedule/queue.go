package schedule

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/awsretry"
	"github.com/headgate/headgate/internal/health"
)

// MaxBatch is SQS's limit on the messages of one call.
const MaxBatch = 10

const (
	sendTimeout        = 10 * time.Second
	sendAttemptTimeout = 3 * time.Second
)

// SQS is a Queue on SQS. It is safe for concurrent use.
type SQS struct {
	client *sqs.Client
	url    string
}

// Open returns the queue with that URL. The SDK's own retries are off: see awsretry.
func Open(config aws.Config, url string) *SQS {
	return &SQS{client: sqs.NewFromConfig(config, func(o *sqs.Options) { o.Retryer = aws.NopRetryer{} }), url: url}
}

// Send sends messages, and those of them again that the queue did not take. A database
// that is queued twice is checked twice, which changes nothing.
func (q *SQS) Send(ctx context.Context, messages []health.Message) error {
	entries := make([]types.SendMessageBatchRequestEntry, len(messages))
	for i, m := range messages {
		body, err := json.Marshal(m)
		if err != nil {
			return fmt.Errorf("encode message: %w", err)
		}
		entries[i] = types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(string(body))}
	}
	policy := awsretry.Policy{Timeout: sendTimeout, AttemptTimeout: sendAttemptTimeout, RetryAmbiguous: true, RetryThrottled: true}
	err := awsretry.Do(ctx, policy, func(ctx context.Context) error {
		out, err := q.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &q.url, Entries: entries})
		if err != nil || len(out.Failed) == 0 {
			return err
		}
		entries = remaining(entries, out.Failed)
		first := out.Failed[0]
		fault := smithy.FaultServer
		if first.SenderFault {
			fault = smithy.FaultClient
		}
		return &smithy.GenericAPIError{Code: aws.ToString(first.Code), Message: "the queue did not take " + strconv.Itoa(len(entries)) + " messages", Fault: fault}
	})
	if err != nil {
		return awsretry.DomainError(err, fmt.Errorf("send messages: %w", err), apierror.Unavailable)
	}
	return nil
}

// remaining returns the entries that failed.
func remaining(entries []types.SendMessageBatchRequestEntry, failed []types.BatchResultErrorEntry) []types.SendMessageBatchRequestEntry {
	ids := map[string]bool{}
	for _, f := range failed {
		ids[aws.ToString(f.Id)] = true
	}
	var left []types.SendMessageBatchRequestEntry
	for _, e := range entries {
		if ids[aws.ToString(e.Id)] {
			left = append(left, e)
		}
	}
	return left
}
