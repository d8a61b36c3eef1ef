package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/awsretry"
)

// fail is the error of a call that awsretry.Do gave up. Every call may be
// repeated, so one in doubt is no worse than one that did not happen.
func fail(operation string, err error) error {
	cause := quieten(operation, err)
	if isNotFound(err) {
		return apierror.New(apierror.NotFound, "the passwords were not found", cause)
	}
	return awsretry.DomainError(err, cause, apierror.Unavailable)
}

func internal(cause error) error {
	return apierror.New(apierror.Internal, "the request could not be completed", cause)
}

func isNotFound(err error) bool {
	_, ok := errors.AsType[*types.ResourceNotFoundException](err)
	return ok || errors.Is(err, errScheduled)
}

// quietError stands for an error of the SDK. It says what kind of error it was,
// and nothing that the service said, which may quote the request.
type quietError struct {
	text string
	err  error
}

// Error names the operation, and the service's code or the network's error.
func (e *quietError) Error() string { return e.text }

// Is compares the error that e stands for. There is no Unwrap, so that nobody
// prints it by going down the chain.
func (e *quietError) Is(target error) bool { return errors.Is(e.err, target) }

func quieten(operation string, err error) error {
	return &quietError{text: "secretsmanager " + operation + ": " + describe(err), err: err}
}

func describe(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode() + response(err)
	}
	if sending, ok := errors.AsType[*smithyhttp.RequestSendError](err); ok {
		return sending.Err.Error()
	}
	if errors.Is(err, errScheduled) {
		return errScheduled.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return "ended before an answer came" + response(err)
	}
	return "an answer that can't be read" + response(err)
}

// response is the status and the request's ID, by which AWS can look it up.
func response(err error) string {
	var text string
	if r, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && r.HTTPStatusCode() != 0 {
		text = fmt.Sprintf(" (HTTP %d)", r.HTTPStatusCode())
	}
	if id, ok := errors.AsType[interface {
		error
		ServiceRequestID() string
	}](err); ok && id.ServiceRequestID() != "" {
		text += " (request " + id.ServiceRequestID() + ")"
	}
	return text
}
