package awsretry

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

const (
	// tries is how often a call is attempted that has no effect to wait for, as
	// often as by the SDK's standard retryer.
	tries = 3
	// shortest is the least time that an attempt is given while there is more.
	shortest = 250 * time.Millisecond

	firstPause   = 50 * time.Millisecond
	longestPause = time.Second
)

// Policy bounds a call.
type Policy struct {
	// Budget is what the whole call may take, where its context has no earlier
	// deadline.
	Budget time.Duration
	// Attempt is what one attempt may take. Near the end of the budget it is
	// half of what is left, so that there is a second one.
	Attempt time.Duration
	// Persist repeats the call until the budget ends while the effect of an
	// attempt is in doubt or rivals are in the way, and not only three times.
	Persist bool
	// Insist is for a read that is one of many, which get in each other's way: it
	// repeats a throttled one too until the budget ends, and then says so, even
	// if the end cuts off the last attempt.
	Insist bool
	// Read may read an attempt's error otherwise than by its form alone, which
	// fault is. Without it every refusal settles the call.
	Read func(err error, fault Fault) Fault
}

// Failure is the error of a call that Do gave up.
type Failure struct {
	// Fault is what is known of the call as a whole: Unknown where any of its
	// attempts was left in doubt.
	Fault Fault
	// Doubt is the error of the last attempt left in doubt, if there was one.
	Doubt error
	last  error
}

// Error is the error of the last attempt, and that of the one in doubt.
func (f *Failure) Error() string {
	if f.Doubt == nil || errors.Is(f.last, f.Doubt) {
		return f.last.Error()
	}
	return f.last.Error() + " (after an attempt of unknown outcome: " + f.Doubt.Error() + ")"
}

// Unwrap is the error of the last attempt.
func (f *Failure) Unwrap() error { return f.last }

// Do attempts call until it succeeds, its outcome is settled, or p is used up.
// Every error is a *Failure.
func Do(ctx context.Context, p Policy, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, p.Budget)
	defer cancel()
	var doubt, throttled error
	for try := 1; ; try++ {
		fault, err := p.attempt(ctx, call)
		switch fault {
		case None:
			return nil
		case Settled:
			return &Failure{Fault: Settled, Doubt: doubt, last: err}
		case Unknown:
			doubt = err
		case Throttled:
			throttled = err
		}
		if !p.again(fault, try, doubt != nil) || !pause(ctx, try) {
			if p.Insist && throttled != nil && ctx.Err() != nil {
				return giveUp(Throttled, throttled, nil)
			}
			return giveUp(fault, err, doubt)
		}
	}
}

func giveUp(fault Fault, err, doubt error) error {
	if doubt != nil {
		fault = Unknown
	}
	return &Failure{Fault: fault, Doubt: doubt, last: err}
}

// again says whether another attempt is worth its while.
func (p Policy) again(fault Fault, try int, doubt bool) bool {
	if fault == Refused {
		return false
	}
	return try < tries || p.Persist && (doubt || fault == Contended) || p.Insist && fault == Throttled
}

// attempt makes one attempt and reads its error.
func (p Policy) attempt(ctx context.Context, call func(context.Context) error) (Fault, error) {
	if err := ctx.Err(); err != nil {
		return Unsent, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.share(ctx))
	defer cancel()
	var track tracker
	err := call(track.follow(ctx))
	fault := classify(err, track.reached())
	switch {
	case err == nil:
	case p.Read != nil:
		fault = p.Read(err, fault)
	case fault == Refused:
		fault = Settled
	}
	return fault, err
}

// share is what one attempt gets of the time that is left.
func (p Policy) share(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return p.Attempt
	}
	return min(p.Attempt, max(time.Until(deadline)/2, shortest))
}

// pause waits before the attempt after try, for a random time up to a bound
// that doubles. It is false where ctx ended first.
func pause(ctx context.Context, try int) bool {
	bound := min(firstPause<<min(try-1, 10), longestPause)
	timer := time.NewTimer(rand.N(bound))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// tracker tells whether an attempt had a connection to send on.
type tracker struct{ asked, got atomic.Bool }

// follow is ctx with hooks for net/http's transport.
func (t *tracker) follow(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { t.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { t.got.Store(true) },
	})
}

// reached is false only where a connection was asked for and none came, dialled
// and through its TLS handshake. A transport without these hooks counts as
// having sent, since nothing is known of it.
func (t *tracker) reached() bool { return t.got.Load() || !t.asked.Load() }
