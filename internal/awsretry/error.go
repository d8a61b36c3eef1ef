package awsretry

import (
	"errors"

	"github.com/headgate/headgate/internal/apierror"
)

// Error turns what Do returned into an error of the domain. InDoubt is the kind
// for a call whose effect is unknown: Unavailable for one that may be repeated
// or has no effect, UnknownOutcome for the rest. Cause stands for err in the
// result, and is what may be logged of it.
func Error(err, cause error, inDoubt apierror.Kind) *apierror.Error {
	fault := Refused
	if failure, ok := errors.AsType[*Failure](err); ok {
		fault = failure.Fault
	}
	kind := kindOf(fault, inDoubt)
	return apierror.New(kind, summary(kind), cause)
}

func kindOf(fault Fault, inDoubt apierror.Kind) apierror.Kind {
	switch fault {
	case Throttled:
		return apierror.Throttled
	case Unsent, Contended:
		return apierror.Unavailable
	case Unknown:
		return inDoubt
	}
	return apierror.Internal
}

func summary(kind apierror.Kind) string {
	switch kind {
	case apierror.Throttled:
		return "a store asks for fewer requests for now"
	case apierror.Unavailable:
		return "a store is not available for now"
	case apierror.UnknownOutcome:
		return "a store did not answer in time; whether the change was kept is unknown"
	}
	return "the request could not be completed"
}
