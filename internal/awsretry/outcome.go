package awsretry

import (
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Outcome is what is known of the effect of an attempt or a call.
type Outcome int

// The outcomes. All but Succeeded and Ambiguous mean that the attempt had no
// effect.
const (
	Succeeded Outcome = iota
	Final             // the service's response also tells the outcome of earlier attempts
	Rejected          // the service rejected this attempt; earlier ones may have succeeded
	Contended         // another request was in the way
	Throttled         // the service rejected the attempt for its rate
	NotSent           // the service was not reached
	Ambiguous         // the attempt may have succeeded, or may yet
)

// isThrottling reports whether AWS services use the error code to throttle. It is
// the SDK's list (aws/retry, DefaultThrottleErrorCodes) without the codes that
// mean a quota or a request in progress.
func isThrottling(code string) bool {
	switch code {
	case "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
		"RequestThrottledException", "TooManyRequestsException", "RequestLimitExceeded",
		"ProvisionedThroughputExceededException", "BandwidthLimitExceeded", "SlowDown":
		return true
	}
	return false
}

// classify returns the outcome of an attempt that returned err. mayHaveSent says
// whether the attempt had a connection.
func classify(err error, mayHaveSent bool) Outcome {
	if err == nil {
		return Succeeded
	}
	if outcome, ok := classifyResponse(err); ok {
		return outcome
	}
	if !mayHaveSent || isDialError(err) {
		return NotSent
	}
	return Ambiguous
}

// classifyResponse classifies errors in the service's response, and errors of the
// SDK before it sends a request.
func classifyResponse(err error) (Outcome, bool) {
	api, isAPI := errors.AsType[smithy.APIError](err)
	if isAPI && isThrottling(api.ErrorCode()) {
		return Throttled, true
	}
	// The SDK wraps a request that failed to be sent in a response of status 0.
	if response, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && response.HTTPStatusCode() != 0 {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return Ambiguous, true // the response was cut short before its reason
		}
		return classifyStatus(response.HTTPStatusCode()), true
	}
	if isAPI && api.ErrorFault() == smithy.FaultClient {
		return Rejected, true
	}
	if isAPI {
		return Ambiguous, true
	}
	if _, ok := errors.AsType[*smithy.SerializationError](err); ok {
		return Rejected, true
	}
	return Succeeded, false
}

// classifyStatus classifies the status of a response that came with an error.
func classifyStatus(status int) Outcome {
	switch {
	case status == http.StatusTooManyRequests:
		return Throttled
	case status == http.StatusRequestTimeout:
		return Ambiguous
	case status >= 400 && status < 500:
		return Rejected
	}
	return Ambiguous
}

// isDialError reports whether err comes from name resolution or dialling.
func isDialError(err error) bool {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}
