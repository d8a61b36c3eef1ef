package awsretry

import (
	"errors"
	"net"
	"net/http"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Fault is what an attempt's error says about its effect.
type Fault int

// The faults of an attempt.
const (
	None      Fault = iota // it succeeded
	Settled                // the service's answer; it also settles what became of earlier attempts
	Refused                // the service's answer to this attempt alone; it had no effect
	Contended              // another request was in the way; no effect
	Throttled              // refused for its rate; no effect
	Unsent                 // the service was not reached; no effect
	Unknown                // it may have had its effect, or have it yet
)

// throttleCodes are the error codes by which AWS services refuse a request for
// its rate: the SDK's own list (aws/retry, DefaultThrottleErrorCodes) without
// those that mean a quota or a request in progress.
func throttleCode(code string) bool {
	switch code {
	case "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
		"RequestThrottledException", "TooManyRequestsException", "RequestLimitExceeded",
		"ProvisionedThroughputExceededException", "BandwidthLimitExceeded", "SlowDown":
		return true
	}
	return false
}

// classify reads the error of one attempt. Reached says whether the attempt got
// as far as a connection on which something could be sent.
func classify(err error, reached bool) Fault {
	if err == nil {
		return None
	}
	if fault, ok := classifyAnswer(err); ok {
		return fault
	}
	if !reached || neverSent(err) {
		return Unsent
	}
	return Unknown
}

// classifyAnswer reads an error that the service answered with, or that the SDK
// raised before there was anything to send.
func classifyAnswer(err error) (Fault, bool) {
	api, isAPI := errors.AsType[smithy.APIError](err)
	if isAPI && throttleCode(api.ErrorCode()) {
		return Throttled, true
	}
	// The SDK wraps a request that failed to be sent in a response of status 0.
	if response, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && response.HTTPStatusCode() != 0 {
		return classifyStatus(response.HTTPStatusCode()), true
	}
	if isAPI && api.ErrorFault() == smithy.FaultClient {
		return Refused, true
	}
	if isAPI {
		return Unknown, true
	}
	if _, ok := errors.AsType[*smithy.SerializationError](err); ok {
		return Refused, true
	}
	return None, false
}

// classifyStatus reads the status of an answer that came with an error. One of
// the 2xx means that the answer could not be read to its end.
func classifyStatus(status int) Fault {
	switch {
	case status == http.StatusTooManyRequests:
		return Throttled
	case status == http.StatusRequestTimeout:
		return Unknown
	case status >= 400 && status < 500:
		return Refused
	}
	return Unknown
}

// neverSent tells errors of name resolution and of dialling, after which the
// service can't have seen anything.
func neverSent(err error) bool {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}
