package catalog

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/headgate/headgate/internal/awsretry"
)

// write makes a call that changes one item, in as many attempts as it takes.
func write(ctx context.Context, call func(context.Context) error) error {
	policy := awsretry.Policy{Timeout: writeBudget, AttemptTimeout: writeAttempt, RetryAmbiguous: true, Classify: readWrite}
	return awsretry.Do(ctx, policy, call)
}

// readWrite reads the error of one attempt of a write.
func readWrite(err error, outcome awsretry.Outcome) awsretry.Outcome {
	if isConditionFailure(err) {
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

func isConditionFailure(err error) bool {
	_, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	return ok
}
