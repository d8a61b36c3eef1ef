package awscall

import (
	"errors"

	"github.com/headgate/headgate/internal/database"
)

// Error turns what Do returned into an error of the domain. InDoubt is the kind
// for a call whose effect is unknown: Unavailable for one that may be repeated
// or has no effect, UnknownOutcome for the rest. Cause stands for err in the
// result, and is what may be logged of it.
func Error(err, cause error, inDoubt database.Kind) *database.Error {
	fault := Refused
	if failure, ok := errors.AsType[*Failure](err); ok {
		fault = failure.Fault
	}
	kind := kindOf(fault, inDoubt)
	return database.NewError(kind, summary(kind), cause)
}

func kindOf(fault Fault, inDoubt database.Kind) database.Kind {
	switch fault {
	case Throttled:
		return database.Throttled
	case Unsent, Contended:
		return database.Unavailable
	case Unknown:
		return inDoubt
	}
	return database.Internal
}

func summary(kind database.Kind) string {
	switch kind {
	case database.Throttled:
		return "a store asks for fewer requests for now"
	case database.Unavailable:
		return "a store is not available for now"
	case database.UnknownOutcome:
		return "a store did not answer in time; whether the change was kept is unknown"
	}
	return "the request could not be completed"
}
