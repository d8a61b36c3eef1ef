package vault

import (
	"context"
	"errors"
	"time"

	"github.com/headgate/headgate/internal/awsretry"
)

var (
	errScheduled  = errors.New("secret is scheduled for deletion")
	errNoVersion  = errors.New("read secret: no version given")
	errLabelMoved = errors.New("another request moved the label")
)

// usual returns the policy of most calls: up to 3 attempts.
func usual() awsretry.Policy {
	return awsretry.Policy{Timeout: callTimeout, AttemptTimeout: attemptTimeout, Classify: classify}
}

// patient returns the policy of reads of many secrets, which are throttled first.
func patient(timeout, attemptTimeout time.Duration) awsretry.Policy {
	return awsretry.Policy{Timeout: timeout, AttemptTimeout: attemptTimeout, RetryAmbiguous: true, RetryThrottled: true, Classify: classify}
}

// classify makes every rejection final: all calls are idempotent, so a rejection
// also tells the outcome of earlier attempts.
func classify(err error, outcome awsretry.Outcome) awsretry.Outcome {
	if outcome == awsretry.Rejected || errors.Is(err, errScheduled) {
		return awsretry.Final
	}
	return outcome
}

// callUntilFound retries for up to 6 seconds while Secrets Manager, which is
// eventually consistent, does not find the secret or the version, or while labels
// are changed concurrently.
func callUntilFound(ctx context.Context, attempt func(context.Context) error) error {
	var notFound error
	policy := awsretry.Policy{
		Timeout: callTimeout, AttemptTimeout: attemptTimeout, RetryAmbiguous: true,
		Classify: func(err error, outcome awsretry.Outcome) awsretry.Outcome {
			if isNotFound(err) && !errors.Is(err, errScheduled) {
				notFound = err
				return awsretry.Contended
			}
			if errors.Is(err, errLabelMoved) {
				return awsretry.Contended
			}
			return classify(err, outcome)
		},
	}
	err := awsretry.Do(ctx, policy, attempt)
	if failure, ok := errors.AsType[*awsretry.Failure](err); ok && failure.Outcome != awsretry.Final && notFound != nil {
		// The timeout may have interrupted the last attempt, whose error says less.
		return notFound
	}
	return err
}
