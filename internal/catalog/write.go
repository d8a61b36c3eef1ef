package catalog

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/headgate/headgate/internal/awsretry"
)

// write makes a conditional write of one item, with retries.
func write[In, Out any](ctx context.Context, method func(context.Context, *In, ...func(*dynamodb.Options)) (*Out, error), in *In) error {
	policy := awsretry.Policy{
		Timeout: writeTimeout, AttemptTimeout: writeAttemptTimeout, RetryAmbiguous: true, Classify: classifyWrite,
	}
	_, err := awsretry.Call(ctx, policy, method, in)
	return err
}

// classifyWrite makes a failed condition final: the caller tells from the item
// whether an earlier attempt succeeded.
func classifyWrite(err error, outcome awsretry.Outcome) awsretry.Outcome {
	if isConditionFailed(err) {
		return awsretry.Final
	}
	if _, ok := errors.AsType[*types.TransactionConflictException](err); ok {
		return awsretry.Contended
	}
	if _, ok := errors.AsType[*types.ReplicatedWriteConflictException](err); ok {
		return awsretry.Contended
	}
	return outcome
}

func isConditionFailed(err error) bool {
	_, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	return ok
}
