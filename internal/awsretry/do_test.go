package awsretry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/awsretry"
	"github.com/headgate/headgate/internal/requestlog"
)

// responseError is an error in a service's response.
func responseError(status int, code string) error {
	return &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}},
		Err:      &smithy.GenericAPIError{Code: code},
	}
}

// sendError is the SDK's error for a request that it failed to send.
func sendError(err error) error {
	return &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{}},
		Err:      &smithyhttp.RequestSendError{Err: err},
	}
}

var (
	errReset     = sendError(&net.OpError{Op: "read", Err: syscall.ECONNRESET})
	errDial      = sendError(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED})
	errDNS       = sendError(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host"}})
	errThrottled = responseError(http.StatusBadRequest, "ThrottlingException")
	errDenied    = responseError(http.StatusForbidden, "AccessDeniedException")
	errContended = errors.New("another writer is in the way")
)

func TestDo_Outcome(t *testing.T) {
	t.Parallel()
	const untilTimeout = 0
	cutShort := func(status int) error {
		return &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: &smithy.DeserializationError{Err: io.ErrUnexpectedEOF},
		}
	}
	tests := map[string]struct {
		errs           []error // one for each attempt; the last one is repeated
		retryAmbiguous bool
		outcome        awsretry.Outcome
		attempts       int
	}{
		"success":                              {[]error{nil}, false, awsretry.Succeeded, 1},
		"success after a reset":                {[]error{errReset, nil}, false, awsretry.Succeeded, 2},
		"rejected":                             {[]error{errDenied}, false, awsretry.Final, 1},
		"reset, then rejected":                 {[]error{errReset, errDenied}, false, awsretry.Final, 2},
		"throttled":                            {[]error{errThrottled}, false, awsretry.Throttled, 3},
		"throttled by status":                  {[]error{responseError(429, "Odd")}, false, awsretry.Throttled, 3},
		"throttled by code with a 5xx":         {[]error{responseError(503, "SlowDown")}, true, awsretry.Throttled, 3},
		"not connected":                        {[]error{errDial}, false, awsretry.NotSent, 3},
		"not resolved":                         {[]error{errDNS}, false, awsretry.NotSent, 3},
		"reset":                                {[]error{errReset}, false, awsretry.Ambiguous, 3},
		"500":                                  {[]error{responseError(500, "InternalServerError")}, false, awsretry.Ambiguous, 3},
		"408":                                  {[]error{responseError(408, "RequestTimeout")}, false, awsretry.Ambiguous, 3},
		"response cut short":                   {[]error{cutShort(200)}, false, awsretry.Ambiguous, 3},
		"rejection cut short":                  {[]error{cutShort(400)}, false, awsretry.Ambiguous, 3},
		"unknown error":                        {[]error{errors.New("odd")}, false, awsretry.Ambiguous, 3},
		"request that cannot be encoded":       {[]error{&smithy.SerializationError{}}, false, awsretry.Final, 1},
		"client fault without a status":        {[]error{&smithy.GenericAPIError{Code: "Odd", Fault: smithy.FaultClient}}, false, awsretry.Final, 1},
		"code without a fault or a status":     {[]error{&smithy.GenericAPIError{Code: "Odd"}}, false, awsretry.Ambiguous, 3},
		"reset, then throttled":                {[]error{errReset, errThrottled}, false, awsretry.Ambiguous, 3},
		"reset, then not connected":            {[]error{errReset, errDial}, false, awsretry.Ambiguous, 3},
		"contended":                            {[]error{errContended}, false, awsretry.Contended, 3},
		"RetryAmbiguous, throttled":            {[]error{errThrottled}, true, awsretry.Throttled, 3},
		"RetryAmbiguous, reset":                {[]error{errReset}, true, awsretry.Ambiguous, untilTimeout},
		"RetryAmbiguous, reset then throttled": {[]error{errReset, errThrottled}, true, awsretry.Ambiguous, untilTimeout},
		"RetryAmbiguous, contended":            {[]error{errContended}, true, awsretry.Contended, untilTimeout},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				attempts, begun := 0, time.Now()
				err := awsretry.Do(t.Context(), policy(test.retryAmbiguous), func(context.Context) error {
					attempts++
					return test.errs[min(attempts, len(test.errs))-1]
				})
				if got := outcomeOf(err); got != test.outcome {
					t.Errorf("outcome %d of %v, want %d", got, err, test.outcome)
				}
				if test.attempts != untilTimeout && attempts != test.attempts || test.attempts == untilTimeout && attempts <= 3 {
					t.Errorf("%d attempts, want %d", attempts, test.attempts)
				}
				if took := time.Since(begun); took > timeout {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

func TestDo_CountsRetries(t *testing.T) {
	t.Parallel()
	for attempts, want := range map[int]int{1: 0, 3: 2} {
		synctest.Test(t, func(t *testing.T) {
			ctx, n := requestlog.Start(t.Context()), 0
			err := awsretry.Do(ctx, policy(false), func(context.Context) error {
				if n++; n < attempts {
					return errReset
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			var line bytes.Buffer
			requestlog.Entry{Kind: requestlog.Request}.Write(ctx, slog.New(slog.NewJSONHandler(&line, nil)), "")
			var entry struct{ Retries *int }
			if err := json.Unmarshal(line.Bytes(), &entry); err != nil || entry.Retries == nil || *entry.Retries != want {
				t.Errorf("after %d attempts the log has %s, want %d retries (%v)", attempts, line.String(), want, err)
			}
		})
	}
}

const timeout = 10 * time.Second

func policy(retryAmbiguous bool) awsretry.Policy {
	return awsretry.Policy{
		Timeout: timeout, AttemptTimeout: 3 * time.Second, RetryAmbiguous: retryAmbiguous,
		Classify: func(err error, outcome awsretry.Outcome) awsretry.Outcome {
			if errors.Is(err, errContended) {
				return awsretry.Contended
			}
			if outcome == awsretry.Rejected {
				return awsretry.Final
			}
			return outcome
		},
	}
}

func outcomeOf(err error) awsretry.Outcome {
	if err == nil {
		return awsretry.Succeeded
	}
	if failure, ok := errors.AsType[*awsretry.Failure](err); ok {
		return failure.Outcome
	}
	return -1
}

func TestDo_RetryThrottled(t *testing.T) {
	t.Parallel()
	p := policy(true)
	p.RetryThrottled = true
	t.Run("succeeds after seven throttled attempts", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			attempts := 0
			err := awsretry.Do(t.Context(), p, func(context.Context) error {
				if attempts++; attempts < 8 {
					return errThrottled
				}
				return nil
			})
			if err != nil || attempts != 8 {
				t.Errorf("%v after %d attempts", err, attempts)
			}
		})
	})
	t.Run("is throttled at its timeout", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			err := awsretry.Do(t.Context(), p, func(context.Context) error { return errThrottled })
			if took := time.Since(begun); outcomeOf(err) != awsretry.Throttled || took > timeout {
				t.Errorf("outcome %d of %v after %s", outcomeOf(err), err, took)
			}
		})
	})
}

func TestDo_RejectionIsFinalWithoutClassify(t *testing.T) {
	t.Parallel()
	err := awsretry.Do(t.Context(), awsretry.Policy{Timeout: timeout, AttemptTimeout: timeout}, func(context.Context) error { return errDenied })
	if outcomeOf(err) != awsretry.Final || !errors.Is(err, errDenied) {
		t.Errorf("outcome %d of %v", outcomeOf(err), err)
	}
}

func TestDo_AttemptTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		var took []time.Duration
		err := awsretry.Do(ctx, policy(true), func(ctx context.Context) error {
			begun := time.Now()
			<-ctx.Done()
			took = append(took, time.Since(begun))
			return ctx.Err()
		})
		if outcomeOf(err) != awsretry.Ambiguous {
			t.Errorf("outcome %d of %v, want Ambiguous", outcomeOf(err), err)
		}
		// An attempt gets half of the time that is left.
		if len(took) < 3 || took[0] != 2*time.Second || took[1] > time.Second {
			t.Errorf("attempts took %v", took)
		}
	})
}

func TestDo_EndedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := awsretry.Do(ctx, policy(true), func(context.Context) error {
		t.Error("an attempt was made")
		return nil
	})
	if outcomeOf(err) != awsretry.NotSent || !errors.Is(err, context.Canceled) {
		t.Errorf("outcome %d of %v, want NotSent", outcomeOf(err), err)
	}
}

func TestDomainError_Kind(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		errs []error
		kind apierror.Kind
	}{
		"throttled":     {[]error{errThrottled}, apierror.Throttled},
		"not connected": {[]error{errDial}, apierror.Unavailable},
		"contended":     {[]error{errContended}, apierror.Unavailable},
		"ambiguous":     {[]error{errReset, errThrottled}, apierror.UnknownOutcome},
		"rejected":      {[]error{errDenied}, apierror.Internal},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attempts := 0
			err := awsretry.Do(t.Context(), policy(false), func(context.Context) error {
				attempts++
				return test.errs[min(attempts, len(test.errs))-1]
			})
			got := awsretry.DomainError(err, err, apierror.UnknownOutcome)
			if got.Kind != test.kind || got.Summary == "" || !errors.Is(got, test.errs[len(test.errs)-1]) {
				t.Errorf("%d %q wraps %v, want kind %d", got.Kind, got.Summary, errors.Unwrap(got), test.kind)
			}
		})
	}
}
