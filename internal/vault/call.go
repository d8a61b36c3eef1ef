package vault

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/headgate/headgate/internal/awsretry"
)

// errScheduled says that a secret is scheduled for deletion.
var errScheduled = errors.New("scheduled for deletion")

// errNoVersionNamed says that passwords were asked for without a version, which
// Secrets Manager would answer with the current one's.
var errNoVersionNamed = errors.New("a secret read without its version")

// errMoved says that a label was elsewhere when it came to moving it.
var errMoved = errors.New("the label has moved")

// do makes a call in as many attempts as it takes.
func do(ctx context.Context, call func(context.Context) error) error {
	policy := awsretry.Policy{Timeout: budget, AttemptTimeout: attemptTime, Classify: readAnswer}
	return awsretry.Do(ctx, policy, call)
}

// readAnswer reads the error of one attempt. Since every call may be repeated,
// an answer tells all there is to know, whatever became of earlier attempts.
func readAnswer(err error, outcome awsretry.Outcome) awsretry.Outcome {
	if outcome == awsretry.Rejected || errors.Is(err, errScheduled) {
		return awsretry.Final
	}
	return outcome
}

// patient repeats a call for as long as there is time while what it is about is
// not found, since Secrets Manager is consistent only in the end, or while labels
// move under its hands.
func patient(ctx context.Context, call func(context.Context) error) error {
	var missing error
	policy := awsretry.Policy{
		Timeout: budget, AttemptTimeout: attemptTime, RetryAmbiguous: true,
		Classify: func(err error, outcome awsretry.Outcome) awsretry.Outcome {
			if isNotFound(err) && !errors.Is(err, errScheduled) {
				missing = err
				return awsretry.Contended
			}
			if errors.Is(err, errMoved) {
				return awsretry.Contended
			}
			return readAnswer(err, outcome)
		},
	}
	err := awsretry.Do(ctx, policy, call)
	if failure, ok := errors.AsType[*awsretry.Failure](err); ok && failure.Outcome != awsretry.Final && missing != nil {
		// The end of the time may have cut off the last attempt, whose error
		// says less.
		return missing
	}
	return err
}

// once leaves repeating a call to awsretry.Do.
func once(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} }
