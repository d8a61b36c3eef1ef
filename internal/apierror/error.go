package apierror

import (
	"errors"
	"sort"
	"strings"

	"github.com/headgate/headgate/internal/check"
)

// Kind says what an error means for whoever called: each is one HTTP status.
type Kind int

// The kinds of errors. The zero value is a defect of ours.
const (
	Internal       Kind = iota // a defect here (500)
	Malformed                  // the body is not a JSON object (400)
	Invalid                    // the payload or the target is not acceptable (422)
	NotFound                   // no such database (404)
	Conflict                   // another request is in the way (409)
	Throttled                  // a store asks for fewer requests; nothing was kept (429)
	Unavailable                // a store is away for now; nothing was kept (503)
	UnknownOutcome             // a store did not answer; whether it was kept is unknown (504)
)

// The codes that do not come from a check on the target.
const (
	InvalidPayload check.Code = "invalid_payload"
	NameTaken      check.Code = "name_taken"

	RequestInProgress    check.Code = "request_in_progress"
	IdempotencyKeyReused check.Code = "idempotency_key_reused"
	VersionConflict      check.Code = "version_conflict"
)

// Error is an error of the domain. Summary and Fields are for the caller and
// hold no secret; the wrapped cause is for the log.
type Error struct {
	Kind    Kind
	Code    check.Code
	Summary string
	Fields  FieldErrors
	Checks  check.Report
	cause   error
}

// Error is the summary and the cause. It is for logs, never for a response.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.Summary
	}
	return e.Summary + ": " + e.cause.Error()
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.cause }

// Refusal is an error of kind Invalid as it is answered.
type Refusal struct {
	Summary          string       `json:"summary"`
	Code             check.Code   `json:"code"`
	ValidationErrors FieldErrors  `json:"validation_errors"`
	Checks           check.Report `json:"checks,omitempty"`
}

// Refusal is what e tells whoever asked.
func (e *Error) Refusal() Refusal {
	r := Refusal{Summary: e.Summary, Code: e.Code, ValidationErrors: e.Fields, Checks: e.Checks}
	if r.ValidationErrors == nil {
		r.ValidationErrors = FieldErrors{}
	}
	return r
}

// New makes an error of kind k that wraps cause.
func New(k Kind, summary string, cause error) *Error {
	return &Error{Kind: k, Summary: summary, cause: cause}
}

// KindOf is the kind of the first Error in err's chain; an error from elsewhere
// is a defect of ours.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// FieldErrors maps the path of a field to what is wrong with it.
type FieldErrors map[string][]string

// Add notes that message holds for the field at path.
func (f FieldErrors) Add(path, message string) { f[path] = append(f[path], message) }

// AsError is nil where f is empty, and otherwise the error that carries it.
func (f FieldErrors) AsError() error {
	if len(f) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Code: InvalidPayload, Summary: f.summary(), Fields: f}
}

func (f FieldErrors) summary() string {
	paths := make([]string, 0, len(f))
	for p := range f {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	const shown = 5
	var b strings.Builder
	b.WriteString("the request is not valid: ")
	for i, p := range paths {
		if i == shown {
			b.WriteString(", and more")
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(p + " " + f[p][0])
	}
	return b.String()
}

// Join is err with f's findings added to it, so that all are answered together.
// An err of another kind than Invalid stands for itself.
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
