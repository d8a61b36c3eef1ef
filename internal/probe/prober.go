package probe

import (
	"context"
	"net"
	"time"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/egress"
)

// Time is what a probe takes at most, DNS, connections and statements included:
// the API promises 10 s.
const Time = 9500 * time.Millisecond

// Dialer opens TCP connections; net.Dialer is one.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Prober probes targets. It implements database.Prober and keeps nothing from
// one probe to the next.
type Prober struct {
	Egress   egress.Policy
	Resolver resolver
	Dialer   Dialer
	// Apart keeps the first statement apart from the login, which costs a round
	// trip.
	Apart bool
}

// New is a Prober on the network, for addresses that policy allows.
func New(policy egress.Policy) *Prober {
	// Keep-alive probes and a fallback to the other family are for connections
	// that live longer, and for hosts that were not looked up before.
	return &Prober{Egress: policy, Resolver: net.DefaultResolver, Dialer: &net.Dialer{KeepAlive: -1, FallbackDelay: -1}}
}

// stage is how far a probe came with one server.
type stage int

const (
	nowhere stage = iota
	resolved
	connected
	encrypted
	loggedIn
)

// evidence is what was learnt of one server: how far the probe came, what it
// met with on the way, and what the session told.
type evidence struct {
	reached stage
	met     []check.Entry
	mode    mode
	refused *refusal // why there is no walsender session, where there is another
	pid     uint32
	version int // the major version that the server gave at login, 0 if none
	facts   facts
	peek    peekOutcome
}

// add notes a finding and tells whether there was one.
func (e *evidence) add(c *check.Entry) bool {
	if c == nil {
		return false
	}
	e.met = append(e.met, *c)
	return true
}

// Probe looks at t and reports every check in order. Replica and primary are
// looked at side by side, after the addresses of both were judged.
func (p *Prober) Probe(ctx context.Context, t database.Target) check.Report {
	ctx, cancel := context.WithTimeout(ctx, Time)
	defer cancel()
	main := login{endpoint: t.Endpoint, password: t.Passwords.Main}
	if t.Primary == nil {
		e := p.begin(ctx, &main, "hostname")
		p.look(ctx, main, t.Slot, &e)
		return judge(t, e, nil)
	}
	primary := login{endpoint: *t.Primary, password: t.Passwords.Primary}
	var e, pe evidence
	sideBySide(func() { pe = p.begin(ctx, &primary, "primary.hostname") }, func() { e = p.begin(ctx, &main, "hostname") })
	if allowed(e) && allowed(pe) {
		sideBySide(func() { p.lookAtPrimary(ctx, primary, &pe) }, func() { p.look(ctx, main, t.Slot, &e) })
	}
	return judge(t, e, &pe)
}

// sideBySide runs both and returns when both have ended.
func sideBySide(a, b func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		a()
	}()
	b()
	<-done
}

// begin resolves l's host.
func (p *Prober) begin(ctx context.Context, l *login, field string) evidence {
	var e evidence
	var refused *check.Entry
	if l.addrs, refused = p.resolve(ctx, l.endpoint, field); !e.add(refused) {
		e.reached = resolved
	}
	return e
}

// allowed tells whether an address was refused by the egress policy.
func allowed(e evidence) bool {
	return e.reached >= resolved || e.met[0].Code != check.AddressNotAllowed
}

// look opens a session with the target, asks it everything, and closes it.
func (p *Prober) look(ctx context.Context, l login, slot database.Slot, e *evidence) {
	all := parts(slot)
	s := p.enter(ctx, l, walsender, all, e)
	if s == nil {
		return
	}
	defer s.close()
	if e.unsupported() {
		return
	}
	s.ask(all, e)
	if suspected(e.facts) && canPeek(*e) {
		e.peek = s.peek(ctx, slot)
	}
}

// lookAtPrimary asks a primary only what tells whose primary it is. Nothing is
// replicated from there, so that an ordinary session does.
func (p *Prober) lookAtPrimary(ctx context.Context, l login, e *evidence) {
	all := parts(database.Slot{})
	wanted := []part{all[0], all[3]}
	s := p.enter(ctx, l, ordinary, wanted, e)
	if s == nil {
		return
	}
	defer s.close()
	s.ask(wanted, e)
}

// enter opens the best session that the server lets l have, nil where none:
// what is wanted first, or the next best. It is to be asked for all of wanted,
// which the first one is sent ahead: a pooler may be in the way of the others.
func (p *Prober) enter(ctx context.Context, l login, first mode, wanted []part, e *evidence) *session {
	if e.reached < resolved {
		return nil
	}
	s, refused := p.open(ctx, l, first, statement(wanted))
	if refused != nil && !l.endpoint.SSL && wantsTLS(refused) {
		s, refused = p.retryWithTLS(ctx, &l, first, refused, e)
	}
	if refused != nil {
		if next := nextBest(first, refused.pgErr); next != first {
			e.refused = refused
			s, refused = p.open(ctx, l, next, "")
		}
	}
	if refused != nil {
		e.refused = nil
		e.reached = before(refused.Name)
		e.add(&refused.Entry)
		return nil
	}
	e.reached, e.mode, e.pid = loggedIn, s.mode, s.conn.PID()
	e.version = majorOf(s.conn.ParameterStatus("server_version"))
	return s
}

// wantsTLS tells whether a login without TLS was refused in a way that TLS may
// mend.
func wantsTLS(r *refusal) bool {
	return r.cleartext || r.pgErr != nil && r.pgErr.Code == stateInvalidAuthorization
}

// retryWithTLS finds out whether the server would let this role in with TLS.
// Where it does, that session serves to complete the report.
func (p *Prober) retryWithTLS(ctx context.Context, l *login, m mode, first *refusal, e *evidence) (*session, *refusal) {
	l.endpoint.SSL = true
	s, refused := p.open(ctx, *l, m, "")
	if refused != nil && (refused.pgErr == nil || refused.pgErr.Code == stateInvalidAuthorization) {
		if first.cleartext && refused.Code == check.TLSNotSupported {
			first.Fix = "use scram-sha-256 in place of password in pg_hba.conf, or turn TLS on on the server"
		}
		return nil, first
	}
	e.add(failed(check.TLS, check.TLSRequired, "the server lets this role in over TLS only, and ssl is false", `send "ssl": true`))
	return s, refused
}

// before is the stage that was passed where the check called name failed.
func before(name string) stage {
	switch name {
	case check.TLS:
		return connected
	case check.Authentication:
		return encrypted
	}
	return resolved
}
