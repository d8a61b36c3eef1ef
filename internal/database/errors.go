package database

import (
	"errors"
	"fmt"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
)

// The errors of a Catalog for a conditional write whose condition failed.
var (
	// ErrNameTaken says that another database of the account has the name.
	ErrNameTaken = errors.New("name taken")
	// ErrVersionConflict says that the database is not at the version that was
	// read.
	ErrVersionConflict = errors.New("version conflict")
	// ErrClaimLost says that another request has claimed the idempotency key.
	ErrClaimLost = errors.New("claim lost")
	// ErrSlotHeld says that another request is dropping the replication slot or the
	// publication.
	ErrSlotHeld = errors.New("replication slot held")
	// ErrPendingGone says that what was made on the target has been dropped, because
	// the request took too long.
	ErrPendingGone = errors.New("pending item gone")
)

func nameTaken(name string) *apierror.Error {
	return &apierror.Error{
		Kind: apierror.Invalid, Code: apierror.NameTaken,
		Summary: `a database named "` + name + `" exists already`,
		Fields:  apierror.FieldErrors{"name": {"has already been taken"}},
	}
}

func versionConflict() *apierror.Error {
	return &apierror.Error{
		Kind: apierror.Conflict, Code: apierror.VersionConflict,
		Summary: "the database was changed by another request: read it and try again",
	}
}

func requestInProgress() *apierror.Error {
	return &apierror.Error{
		Kind: apierror.Conflict, Code: apierror.RequestInProgress,
		Summary: "a request with this Idempotency-Key is still running: ask again shortly",
	}
}

// slotHeld is no 503: a caller can hold a slot of its own, and nothing of ours is away.
func slotHeld(cause error) *apierror.Error {
	e := apierror.New(apierror.Conflict, "another request is dropping the replication slot or the publication: repeat the request in half a minute", cause)
	e.Code = apierror.RequestInProgress
	return e
}

func keyReused() *apierror.Error {
	return &apierror.Error{
		Kind: apierror.Conflict, Code: apierror.IdempotencyKeyReused,
		Summary: "this Idempotency-Key was used for another payload: send a new one",
	}
}

// targetRefused returns the error of a target that failed a check. Its summary
// ends with the first fix.
func targetRefused(report check.Report, first check.Entry) *apierror.Error {
	summary := "the database can't be used as a source yet"
	if n := report.Count(check.Failed); n > 1 {
		summary += fmt.Sprintf(", for %d reasons; the first", n)
	}
	summary += ": " + first.Message
	for _, e := range report {
		if e.Status != check.Failed || e.Fix == "" {
			continue
		}
		if e == first {
			summary += "; fix: " + e.Fix
		} else {
			summary += "; fix for " + e.Name + ": " + e.Fix
		}
		break
	}
	return &apierror.Error{Kind: apierror.Invalid, Code: first.Code, Summary: summary, Fields: apierror.FieldErrors{}, Checks: report}
}
