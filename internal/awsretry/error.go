package awsretry

import (
	"errors"

	"github.com/headgate/headgate/internal/apierror"
)

// DomainError turns an error of Do into one of the domain. ambiguous is the kind
// for a call with an ambiguous outcome: Unavailable if the call is idempotent or a
// read, UnknownOutcome otherwise. The result wraps cause instead of err, so that
// the caller decides what of err is logged.
func DomainError(err, cause error, ambiguous apierror.Kind) *apierror.Error {
	outcome := Rejected
	if failure, ok := errors.AsType[*Failure](err); ok {
		outcome = failure.Outcome
	}
	return apierror.OfStore(kindOf(outcome, ambiguous), cause)
}

func kindOf(outcome Outcome, ambiguous apierror.Kind) apierror.Kind {
	switch outcome {
	case Throttled:
		return apierror.Throttled
	case NotSent, Contended:
		return apierror.Unavailable
	case Ambiguous:
		return ambiguous
	}
	return apierror.Internal
}
