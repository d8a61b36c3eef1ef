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

// callError returns the domain's error for a failed call. All calls are
// idempotent, so an ambiguous outcome is safe.
func callError(operation string, err error) error {
	if isNotFound(err) {
		return notFound(operation, err)
	}
	// A secret has too many versions, or the account too many secrets: neither is a
	// defect, and the first one ends within a day.
	if _, ok := errors.AsType[*types.LimitExceededException](err); ok {
		return apierror.New(apierror.Throttled, "the store throttles requests for now", redact(operation, err))
	}
	return awsretry.DomainError(err, redact(operation, err), apierror.Unavailable)
}

func notFound(operation string, err error) error {
	return apierror.OfStore(apierror.NotFound, redact(operation, err))
}

func internal(cause error) error { return apierror.OfStore(apierror.Internal, cause) }

// unavailable returns the error of work that the end of its context interrupted.
func unavailable(cause error) error { return apierror.OfStore(apierror.Unavailable, cause) }

func isNotFound(err error) bool {
	_, ok := errors.AsType[*types.ResourceNotFoundException](err)
	return ok || errors.Is(err, errScheduled)
}

func isInvalidRequest(err error) bool {
	_, ok := errors.AsType[*types.InvalidRequestException](err)
	return ok
}

// redactedError replaces an error of the SDK. Its text holds nothing that the
// service wrote, which may quote the request.
type redactedError struct {
	text string
	err  error
}

// Error returns the operation with the service's error code or the network's
// error.
func (e *redactedError) Error() string { return e.text }

// Is compares the original error. There is no Unwrap, which would make that error
// printable.
func (e *redactedError) Is(target error) bool { return errors.Is(e.err, target) }

func redact(operation string, err error) error {
	return &redactedError{text: "secretsmanager " + operation + ": " + describe(err), err: err}
}

func describe(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode() + describeResponse(err)
	}
	if sending, ok := errors.AsType[*smithyhttp.RequestSendError](err); ok {
		return sending.Err.Error()
	}
	if errors.Is(err, errScheduled) {
		return errScheduled.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return "no response in time" + describeResponse(err)
	}
	return "unreadable response" + describeResponse(err)
}

// describeResponse returns the status and the request ID of the response.
func describeResponse(err error) string {
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
