package awsretry_test

import (
	"context"
	"errors"
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
)

// answer is an error that a service answered with.
func answer(status int, code string) error {
	return &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}},
		Err:      &smithy.GenericAPIError{Code: code},
	}
}

// sending is the error of a request that failed to be sent, as the SDK has it.
func sending(err error) error {
	return &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{}},
		Err:      &smithyhttp.RequestSendError{Err: err},
	}
}

var (
	errReset    = sending(&net.OpError{Op: "read", Err: syscall.ECONNRESET})
	errDial     = sending(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED})
	errDNS      = sending(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host"}})
	errThrottle = answer(http.StatusBadRequest, "ThrottlingException")
	errDenied   = answer(http.StatusForbidden, "AccessDeniedException")
	errBusy     = errors.New("another is in the way")
)

func TestDo(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		errs    []error // of the attempts, the last one's again for the rest
		persist bool
		fault   awsretry.Fault
		tries   int // 0 for any number above 3
	}{
		"success":                                   {[]error{nil}, false, awsretry.None, 1},
		"success after a reset":                     {[]error{errReset, nil}, false, awsretry.None, 2},
		"a refusal is not repeated":                 {[]error{errDenied}, false, awsretry.Settled, 1},
		"a refusal settles a reset":                 {[]error{errReset, errDenied}, false, awsretry.Settled, 2},
		"throttled three times":                     {[]error{errThrottle}, false, awsretry.Throttled, 3},
		"throttled by status":                       {[]error{answer(429, "Odd")}, false, awsretry.Throttled, 3},
		"throttled by code, whatever the status":    {[]error{answer(503, "SlowDown")}, true, awsretry.Throttled, 3},
		"not connected three times":                 {[]error{errDial}, false, awsretry.Unsent, 3},
		"not resolved":                              {[]error{errDNS}, false, awsretry.Unsent, 3},
		"reset three times":                         {[]error{errReset}, false, awsretry.Unknown, 3},
		"an error of the service":                   {[]error{answer(500, "InternalServerError")}, false, awsretry.Unknown, 3},
		"a time-out of the service":                 {[]error{answer(408, "RequestTimeout")}, false, awsretry.Unknown, 3},
		"an answer that breaks off":                 {[]error{&smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: 200}}, Err: &smithy.DeserializationError{}}}, false, awsretry.Unknown, 3},
		"an error nobody knows":                     {[]error{errors.New("odd")}, false, awsretry.Unknown, 3},
		"a request that can't be written":           {[]error{&smithy.SerializationError{}}, false, awsretry.Settled, 1},
		"a client's fault without a status":         {[]error{&smithy.GenericAPIError{Code: "Odd", Fault: smithy.FaultClient}}, false, awsretry.Settled, 1},
		"a code without a fault or a status":        {[]error{&smithy.GenericAPIError{Code: "Odd"}}, false, awsretry.Unknown, 3},
		"doubt outlasts throttling":                 {[]error{errReset, errThrottle}, false, awsretry.Unknown, 3},
		"doubt outlasts a missing connection":       {[]error{errReset, errDial}, false, awsretry.Unknown, 3},
		"with persistence throttled three times":    {[]error{errThrottle}, true, awsretry.Throttled, 3},
		"with persistence in doubt to the end":      {[]error{errReset}, true, awsretry.Unknown, 0},
		"with persistence in doubt, then throttled": {[]error{errReset, errThrottle}, true, awsretry.Unknown, 0},
		"with persistence rivals in the way":        {[]error{errBusy}, true, awsretry.Contended, 0},
		"rivals in the way three times":             {[]error{errBusy}, false, awsretry.Contended, 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tries, begun := 0, time.Now()
				err := awsretry.Do(t.Context(), policy(test.persist), func(context.Context) error {
					tries++
					return test.errs[min(tries, len(test.errs))-1]
				})
				if got := faultOf(err); got != test.fault {
					t.Errorf("fault %d of %v, want %d", got, err, test.fault)
				}
				if test.tries != 0 && tries != test.tries || test.tries == 0 && tries <= 3 {
					t.Errorf("%d attempts, want %d", tries, test.tries)
				}
				if took := time.Since(begun); took > budget {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

const budget = 10 * time.Second

func policy(persist bool) awsretry.Policy {
	return awsretry.Policy{
		Budget: budget, Attempt: 3 * time.Second, Persist: persist,
		Read: func(err error, fault awsretry.Fault) awsretry.Fault {
			if errors.Is(err, errBusy) {
				return awsretry.Contended
			}
			if fault == awsretry.Refused {
				return awsretry.Settled
			}
			return fault
		},
	}
}

func faultOf(err error) awsretry.Fault {
	if err == nil {
		return awsretry.None
	}
	if failure, ok := errors.AsType[*awsretry.Failure](err); ok {
		return failure.Fault
	}
	return -1
}

func TestAnInsistentCallOutlastsThrottling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		insistent := policy(true)
		insistent.Insist = true
		tries := 0
		err := awsretry.Do(t.Context(), insistent, func(context.Context) error {
			if tries++; tries < 8 {
				return errThrottle
			}
			return nil
		})
		if err != nil || tries != 8 {
			t.Errorf("%v after %d attempts", err, tries)
		}
		begun := time.Now()
		err = awsretry.Do(t.Context(), insistent, func(context.Context) error { return errThrottle })
		if took := time.Since(begun); faultOf(err) != awsretry.Throttled || took > budget {
			t.Errorf("fault %d of %v after %s", faultOf(err), err, took)
		}
	})
}

func TestARefusalOfAReadSettlesEvenWithoutReader(t *testing.T) {
	t.Parallel()
	err := awsretry.Do(t.Context(), awsretry.Policy{Budget: budget, Attempt: budget}, func(context.Context) error { return errDenied })
	if faultOf(err) != awsretry.Settled || !errors.Is(err, errDenied) {
		t.Errorf("fault %d of %v", faultOf(err), err)
	}
}

func TestEveryAttemptEndsInTime(t *testing.T) {
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
		if faultOf(err) != awsretry.Unknown {
			t.Errorf("fault %d of %v, want Unknown", faultOf(err), err)
		}
		// Half of what is left, so that a hanging attempt leaves time for another.
		if len(took) < 3 || took[0] != 2*time.Second || took[1] > time.Second {
			t.Errorf("attempts took %v", took)
		}
	})
}

func TestNothingIsTriedWhenTheContextHasEnded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := awsretry.Do(ctx, policy(true), func(context.Context) error {
		t.Error("tried")
		return nil
	})
	if faultOf(err) != awsretry.Unsent || !errors.Is(err, context.Canceled) {
		t.Errorf("fault %d of %v, want Unsent", faultOf(err), err)
	}
}

func TestErrorHasTheKindOfWhatIsKnown(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		errs []error
		kind apierror.Kind
	}{
		"throttled":     {[]error{errThrottle}, apierror.Throttled},
		"not connected": {[]error{errDial}, apierror.Unavailable},
		"in the way":    {[]error{errBusy}, apierror.Unavailable},
		"in doubt":      {[]error{errReset, errThrottle}, apierror.UnknownOutcome},
		"refused":       {[]error{errDenied}, apierror.Internal},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tries := 0
			err := awsretry.Do(t.Context(), policy(false), func(context.Context) error {
				tries++
				return test.errs[min(tries, len(test.errs))-1]
			})
			got := awsretry.Error(err, err, apierror.UnknownOutcome)
			if got.Kind != test.kind || got.Summary == "" || !errors.Is(got, test.errs[len(test.errs)-1]) {
				t.Errorf("%d %q wraps %v, want kind %d", got.Kind, got.Summary, errors.Unwrap(got), test.kind)
			}
		})
	}
}
