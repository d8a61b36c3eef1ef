// Package apierror has the one error type that operations return. Its kind
// becomes an HTTP status in package httpapi, and an event in package provision.
package apierror

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/redact"
)

// Kind says what an error means for the caller.
type Kind int

// The kinds of errors and their statuses.
const (
	Internal       Kind = iota // 500: a defect on this side
	Malformed                  // 400: the body is not a JSON object
	Invalid                    // 422: the payload or the target is not acceptable
	NotFound                   // 404: there is no such database
	Conflict                   // 409: another request is in the way
	Throttled                  // 429: a store is throttling; nothing was changed
	Unavailable                // 503: a store is unavailable; nothing was changed
	UnknownOutcome             // 504: a store did not answer; the outcome is unknown
)

// The codes of errors that are not findings on a target.
const (
	InvalidPayload check.Code = "invalid_payload"
	NameTaken      check.Code = "name_taken"

	RequestInProgress    check.Code = "request_in_progress"
	IdempotencyKeyReused check.Code = "idempotency_key_reused"
	VersionConflict      check.Code = "version_conflict"
)

// Error is the error of an operation. Everything but the wrapped cause is for the
// caller and holds no secret.
type Error struct {
	Kind    Kind
	Code    check.Code
	Summary string
	Fields  FieldErrors
	Checks  check.Report
	cause   error
}

// NoDatabase is the summary of a database that does not exist.
const NoDatabase = "there is no such database"

// New returns an error that wraps cause, which may be nil.
func New(k Kind, summary string, cause error) *Error {
	return &Error{Kind: k, Summary: summary, cause: cause}
}

// OfStore returns an error of a store, with a summary for its kind. Summaries of
// stores go into logs only.
func OfStore(k Kind, cause error) *Error {
	summary := "the request could not be completed"
	switch k {
	case NotFound:
		summary = "not found"
	case Throttled:
		summary = "the store throttles requests for now"
	case Unavailable:
		summary = "the store is unavailable for now"
	case UnknownOutcome:
		summary = "the store did not answer in time; whether the change was made is unknown"
	}
	return New(k, summary, cause)
}

// Error returns the summary and the cause, for logs.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.Summary
	}
	return e.Summary + ": " + e.cause.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// KindOf returns the kind of the first Error in err's chain, and Internal if
// the chain has no Error.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Refusal is the body of a 422.
type Refusal struct {
	Summary          string       `json:"summary"`
	Code             check.Code   `json:"code"`
	ValidationErrors FieldErrors  `json:"validation_errors"`
	Checks           check.Report `json:"checks,omitempty"`
}

// Refusal returns e as the body of a 422.
func (e *Error) Refusal() Refusal {
	return Refusal{Summary: Shown(e.Summary), Code: e.Code, ValidationErrors: e.Fields.shown(), Checks: e.Checks}
}

// maxSummary bounds a summary or a message, in bytes. A summary can end with a fix.
const maxSummary = 12 << 10

// Shown returns a text that may have names of the caller's choice as it may be
// answered: in displayable characters, and bounded.
func Shown(text string) string { return redact.Line(text, maxSummary) }

// FieldErrors maps the path of a field to what is wrong with it.
type FieldErrors map[string][]string

// shown returns f as it may be answered.
func (f FieldErrors) shown() FieldErrors {
	shown := FieldErrors{}
	for path, messages := range f {
		for _, m := range messages {
			shown.Add(Shown(path), Shown(m))
		}
	}
	return shown
}

// Add appends a message about the field at path.
func (f FieldErrors) Add(path, message string) { f[path] = append(f[path], message) }

// AsError returns an error of kind Invalid with f, or nil where f is empty.
func (f FieldErrors) AsError() error {
	if len(f) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Code: InvalidPayload, Summary: f.summary(), Fields: f}
}

// Join adds the fields of err to f and returns the error for all of them. It
// returns err itself where err is about something other than fields.
func (f FieldErrors) Join(err error) error {
	if err == nil {
		return f.AsError()
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code != InvalidPayload || len(f) == 0 {
		return err
	}
	for path, messages := range e.Fields {
		f[path] = append(f[path], messages...)
	}
	return f.AsError()
}

func (f FieldErrors) summary() string {
	const maxFields = 5
	var problems []string
	for _, path := range slices.Sorted(maps.Keys(f)) {
		name := path
		if name == "" || strings.HasSuffix(name, ".") {
			name += `""` // the empty name would not be seen
		}
		problems = append(problems, name+" "+f[path][0])
	}
	more := ""
	if len(problems) > maxFields {
		problems, more = problems[:maxFields], ", and more"
	}
	return "the request is not valid: " + strings.Join(problems, "; ") + more
}
