package awscall_test

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

	"github.com/headgate/headgate/internal/awscall"
	"github.com/headgate/headgate/internal/database"
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
		fault   awscall.Fault
		tries   int // 0 for any number above 3
	}{
		"success":                                   {[]error{nil}, false, awscall.None, 1},
		"success after a reset":                     {[]error{errReset, nil}, false, awscall.None, 2},
		"a refusal is not repeated":                 {[]error{errDenied}, false, awscall.Settled, 1},
		"a refusal settles a reset":                 {[]error{errReset, errDenied}, false, awscall.Settled, 2},
		"throttled three times":                     {[]error{errThrottle}, false, awscall.Throttled, 3},
		"throttled by status":                       {[]error{answer(429, "Odd")}, false, awscall.Throttled, 3},
		"throttled by code, whatever the status":    {[]error{answer(503, "SlowDown")}, true, awscall.Throttled, 3},
		"not connected three times":                 {[]error{errDial}, false, awscall.Unsent, 3},
		"not resolved":                              {[]error{errDNS}, false, awscall.Unsent, 3},
		"reset three times":                         {[]error{errReset}, false, awscall.Unknown, 3},
		"an error of the service":                   {[]error{answer(500, "InternalServerError")}, false, awscall.Unknown, 3},
		"a time-out of the service":                 {[]error{answer(408, "RequestTimeout")}, false, awscall.Unknown, 3},
		"an answer that breaks off":                 {[]error{&smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: 200}}, Err: &smithy.DeserializationError{}}}, false, awscall.Unknown, 3},
		"an error nobody knows":                     {[]error{errors.New("odd")}, false, awscall.Unknown, 3},
		"a request that can't be written":           {[]error{&smithy.SerializationError{}}, false, awscall.Settled, 1},
		"a client's fault without a status":         {[]error{&smithy.GenericAPIError{Code: "Odd", Fault: smithy.FaultClient}}, false, awscall.Settled, 1},
		"a code without a fault or a status":        {[]error{&smithy.GenericAPIError{Code: "Odd"}}, false, awscall.Unknown, 3},
		"doubt outlasts throttling":                 {[]error{errReset, errThrottle}, false, awscall.Unknown, 3},
		"doubt outlasts a missing connection":       {[]error{errReset, errDial}, false, awscall.Unknown, 3},
		"with persistence throttled three times":    {[]error{errThrottle}, true, awscall.Throttled, 3},
		"with persistence in doubt to the end":      {[]error{errReset}, true, awscall.Unknown, 0},
		"with persistence in doubt, then throttled": {[]error{errReset, errThrottle}, true, awscall.Unknown, 0},
		"with persistence rivals in the way":        {[]error{errBusy}, true, awscall.Contended, 0},
		"rivals in the way three times":             {[]error{errBusy}, false, awscall.Contended, 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tries, begun := 0, time.Now()
				err := awscall.Do(t.Context(), policy(test.persist), func(context.Context) error {
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

func policy(persist bool) awscall.Policy {
	return awscall.Policy{
		Budget: budget, Attempt: 3 * time.Second, Persist: persist,
		Read: func(err error, fault awscall.Fault) awscall.Fault {
			if errors.Is(err, errBusy) {
				return awscall.Contended
			}
			if fault == awscall.Refused {
				return awscall.Settled
			}
			return fault
		},
	}
}

func faultOf(err error) awscall.Fault {
	if err == nil {
		return awscall.None
	}
	if failure, ok := errors.AsType[*awscall.Failure](err); ok {
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
		err := awscall.Do(t.Context(), insistent, func(context.Context) error {
			if tries++; tries < 8 {
				return errThrottle
			}
			return nil
		})
		if err != nil || tries != 8 {
			t.Errorf("%v after %d attempts", err, tries)
		}
		begun := time.Now()
		err = awscall.Do(t.Context(), insistent, func(context.Context) error { return errThrottle })
		if took := time.Since(begun); faultOf(err) != awscall.Throttled || took > budget {
			t.Errorf("fault %d of %v after %s", faultOf(err), err, took)
		}
	})
}

func TestARefusalOfAReadSettlesEvenWithoutReader(t *testing.T) {
	t.Parallel()
	err := awscall.Do(t.Context(), awscall.Policy{Budget: budget, Attempt: budget}, func(context.Context) error { return errDenied })
	if faultOf(err) != awscall.Settled || !errors.Is(err, errDenied) {
		t.Errorf("fault %d of %v", faultOf(err), err)
	}
}

func TestEveryAttemptEndsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		var took []time.Duration
		err := awscall.Do(ctx, policy(true), func(ctx context.Context) error {
			begun := time.Now()
			<-ctx.Done()
			took = append(took, time.Since(begun))
			return ctx.Err()
		})
		if faultOf(err) != awscall.Unknown {
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
	err := awscall.Do(ctx, policy(true), func(context.Context) error {
		t.Error("tried")
		return nil
	})
	if faultOf(err) != awscall.Unsent || !errors.Is(err, context.Canceled) {
		t.Errorf("fault %d of %v, want Unsent", faultOf(err), err)
	}
}

func TestErrorHasTheKindOfWhatIsKnown(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		errs []error
		kind database.Kind
	}{
		"throttled":     {[]error{errThrottle}, database.Throttled},
		"not connected": {[]error{errDial}, database.Unavailable},
		"in the way":    {[]error{errBusy}, database.Unavailable},
		"in doubt":      {[]error{errReset, errThrottle}, database.UnknownOutcome},
		"refused":       {[]error{errDenied}, database.Internal},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tries := 0
			err := awscall.Do(t.Context(), policy(false), func(context.Context) error {
				tries++
				return test.errs[min(tries, len(test.errs))-1]
			})
			got := awscall.Error(err, err, database.UnknownOutcome)
			if got.Kind != test.kind || got.Summary == "" || !errors.Is(got, test.errs[len(test.errs)-1]) {
				t.Errorf("%d %q wraps %v, want kind %d", got.Kind, got.Summary, errors.Unwrap(got), test.kind)
			}
		})
	}
}
