package awsretry

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/headgate/headgate/internal/requestlog"
)

const (
	// maxAttempts is that of the SDK's standard retryer.
	maxAttempts = 3
	// minAttemptTimeout is the shortest time an attempt gets while the call has
	// that much left.
	minAttemptTimeout = 250 * time.Millisecond

	baseDelay = 50 * time.Millisecond
	maxDelay  = time.Second
)

// Policy says how long a call takes and what is retried. By default Do makes up
// to 3 attempts.
type Policy struct {
	// Timeout bounds the whole call, unless ctx ends earlier.
	Timeout time.Duration
	// AttemptTimeout bounds one attempt. Near the end of the call an attempt gets
	// half of the time that is left, so that another one can follow.
	AttemptTimeout time.Duration
	// RetryAmbiguous retries until the call's time is up, rather than 3 times,
	// while the outcome of an attempt is ambiguous or other writers are in the way.
	RetryAmbiguous bool
	// RetryThrottled retries throttled attempts until the call's time is up. The
	// call then counts as throttled, even if its last attempt timed out. It is for
	// reads that a request makes many of.
	RetryThrottled bool
	// Classify returns the outcome of an attempt that failed with err. outcome is
	// what the error's form alone says. If Classify is nil, every rejection is Final.
	Classify func(err error, outcome Outcome) Outcome
}

// Failure is the error of a call that did not succeed.
type Failure struct {
	// Outcome is what is known of the call as a whole. It is Ambiguous if the
	// outcome of any attempt is, unless a later response was Final.
	Outcome Outcome
	// Ambiguous is the error of the last attempt with an ambiguous outcome, nil if
	// there was none.
	Ambiguous error
	last      error
}

// Error returns the errors of the last attempt and of the ambiguous one.
func (f *Failure) Error() string {
	if f.Ambiguous == nil || errors.Is(f.last, f.Ambiguous) {
		return f.last.Error()
	}
	return f.last.Error() + " (after an attempt with an ambiguous outcome: " + f.Ambiguous.Error() + ")"
}

// Unwrap returns the error of the last attempt.
func (f *Failure) Unwrap() error { return f.last }

// After returns err, the error of a call, with the ambiguous attempt of an earlier call
// for the same change, whose error earlier is. Either may be nil.
func After(earlier, err error) error {
	before, ok := errors.AsType[*Failure](earlier)
	if !ok || before.Ambiguous == nil || err == nil {
		return err
	}
	if f, ok := errors.AsType[*Failure](err); ok && f.Ambiguous != nil {
		return err
	}
	return failure(Ambiguous, err, before.Ambiguous)
}

// Do attempts call until it succeeds, its outcome is final, or the policy allows
// no further attempt. It counts retries in the request's log entry. Every error
// is a *Failure.
func Do(ctx context.Context, p Policy, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	var ambiguous, throttled error
	for n := 1; ; n++ {
		outcome, err := p.attempt(ctx, call)
		switch outcome {
		case Succeeded:
			return nil
		case Final:
			return &Failure{Outcome: Final, Ambiguous: ambiguous, last: err}
		case Ambiguous:
			ambiguous = err
		case Throttled:
			throttled = err
		}
		if !p.retryable(outcome, n, ambiguous != nil) || !wait(ctx, n) {
			if p.RetryThrottled && throttled != nil && ctx.Err() != nil {
				return &Failure{Outcome: Throttled, last: throttled}
			}
			return failure(outcome, err, ambiguous)
		}
		requestlog.Retried(ctx)
	}
}

// Call is Do with one call of an SDK's method, whose output it returns.
func Call[In, Out, Options any](ctx context.Context, p Policy, method func(context.Context, *In, ...func(*Options)) (*Out, error), in *In) (*Out, error) {
	var out *Out
	err := Do(ctx, p, func(ctx context.Context) (err error) {
		out, err = method(ctx, in)
		return err
	})
	return out, err
}

func failure(outcome Outcome, err, ambiguous error) error {
	if ambiguous != nil {
		outcome = Ambiguous
	}
	return &Failure{Outcome: outcome, Ambiguous: ambiguous, last: err}
}

// retryable reports whether another attempt may follow the n-th.
func (p Policy) retryable(outcome Outcome, n int, ambiguous bool) bool {
	if outcome == Rejected {
		return false
	}
	return n < maxAttempts || p.RetryAmbiguous && (ambiguous || outcome == Contended) || p.RetryThrottled && outcome == Throttled
}

// attempt makes one attempt and classifies its error.
func (p Policy) attempt(ctx context.Context, call func(context.Context) error) (Outcome, error) {
	if err := ctx.Err(); err != nil {
		return NotSent, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.attemptTimeout(ctx))
	defer cancel()
	var trace connectionTrace
	err := call(trace.with(ctx))
	outcome := classify(err, trace.mayHaveSent())
	switch {
	case err == nil:
	case p.Classify != nil:
		outcome = p.Classify(err, outcome)
	case outcome == Rejected:
		outcome = Final
	}
	return outcome, err
}

func (p Policy) attemptTimeout(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return p.AttemptTimeout
	}
	return min(p.AttemptTimeout, max(time.Until(deadline)/2, minAttemptTimeout))
}

// wait sleeps before the attempt after the n-th: exponential backoff with full
// jitter. It reports whether ctx is still alive.
func wait(ctx context.Context, n int) bool {
	delay := min(baseDelay<<min(n-1, 10), maxDelay)
	timer := time.NewTimer(rand.N(delay))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// connectionTrace observes whether an attempt got a connection.
type connectionTrace struct{ wanted, got atomic.Bool }

func (t *connectionTrace) with(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { t.wanted.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { t.got.Store(true) },
	})
}

// mayHaveSent reports whether a request may have been sent. It is false only if
// the transport wanted a connection and did not get one, TLS handshake included.
func (t *connectionTrace) mayHaveSent() bool { return t.got.Load() || !t.wanted.Load() }
