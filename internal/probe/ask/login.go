package ask

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/saslprep"
)

// rejection is why there is no session.
type rejection struct {
	facts.Failure

	pipelined bool // the first statements had been sent
	scram     bool // the server had sent SCRAM's challenge
}

func reject(f *facts.Failure) *rejection { return &rejection{Failure: *f} }

// Open opens the session that was requested, or the best one that the server
// accepts in its place. It returns nil if there is none; the evidence says why.
func (h *Host) Open(ctx context.Context) *Session {
	if h.Evidence.Stopped != nil {
		return nil
	}
	s, rejected := h.openFirst(ctx)
	if rejected != nil && !h.Endpoint.SSL && tlsMayHelp(rejected) {
		s, rejected = h.retryWithTLS(ctx, rejected)
	}
	if rejected != nil {
		if next := h.fallback(rejected.Server); next != h.Session {
			h.Evidence.SessionRejected = rejected.Server
			// Not pipelined: there may be a pooler on the way.
			s, rejected = h.open(ctx, next, nil)
		}
	}
	if rejected != nil {
		h.Evidence.SessionRejected = nil
		h.Evidence.Stop(rejected.Failure)
		return nil
	}
	h.Evidence.Reached = facts.LoggedIn
	h.Evidence.Session = facts.Session{Kind: s.kind, PID: s.conn.PID(), Major: major(s.conn.ParameterStatus("server_version"))}
	return s
}

// openFirst opens the session that was requested. A walsender that is not to be had may
// be taken by another check, which takes a moment: openFirst asks for it again for a
// second after the first rejection. It asks seldom: each time costs the server a process
// and a TLS handshake.
func (h *Host) openFirst(ctx context.Context) (*Session, *rejection) {
	const (
		patience = time.Second
		interval = 100 * time.Millisecond
	)
	var end time.Time
	for {
		s, rejected := h.open(ctx, h.Session, h.transactions(ctx, h.Session))
		if !lacksWALSender(h.Session, rejected) {
			return s, rejected
		}
		if end.IsZero() {
			end = time.Now().Add(patience)
		}
		if !pause(ctx, interval+rand.N(2*interval), end) {
			return s, rejected
		}
	}
}

// lacksWALSender reports whether a session of that kind was rejected because the server
// has no walsender, or no connection, left. The limits of a role and of a database have
// the same SQLSTATE; asking again does no harm there.
func lacksWALSender(kind facts.SessionKind, r *rejection) bool {
	return kind == facts.WALSender && r != nil && r.Server != nil && r.Server.SQLSTATE == pgerrcode.TooManyConnections
}

// pause waits for d and reports whether it is over before end and before ctx ends.
func pause(ctx context.Context, d time.Duration, end time.Time) bool {
	if time.Now().Add(d).After(end) {
		return false
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// open opens one session, whose first transactions are first. SCRAM takes a password
// in prepared form. pgconn prepares by the profile OpaqueString of PRECIS (RFC 8265),
// which maps no character to nothing and does not replace compatibility characters;
// where the server rejects that, open prepares as servers do. If the connection is lost
// after first was sent early, open tries without pipelining: a proxy may not support it.
func (h *Host) open(ctx context.Context, kind facts.SessionKind, first []transaction) (*Session, *rejection) {
	if h.client.NoPipelining {
		first = nil
	}
	a := attempt{kind: kind, first: first, password: h.Password.Reveal()}
	s, rejected := h.try(ctx, a)
	if rejected != nil && rejected.pipelined && connectionLost(rejected.Kind) && ctx.Err() == nil {
		a.first, a.separate = nil, true
		s, rejected = h.try(ctx, a)
	}
	if rejected != nil && rejected.scram && rejected.Server != nil && rejected.Server.SQLSTATE == pgerrcode.InvalidPassword {
		if prepared := saslprep.Map(a.password); prepared != a.password {
			a.password = prepared
			s, rejected = h.try(ctx, a)
		}
	}
	return s, rejected
}

// attempt is how to open a session.
type attempt struct {
	kind     facts.SessionKind
	password string
	// first has the transactions to send with the end of the login, if possible.
	first []transaction
	// separate sends each statement after the answer to the one before.
	separate bool
}

func (h *Host) try(ctx context.Context, a attempt) (*Session, *rejection) {
	config, err := h.startup(a)
	if err != nil {
		return nil, reject(&facts.Failure{Kind: facts.SetupFailed})
	}
	conn, failure := h.connect(ctx)
	if failure != nil {
		return nil, reject(failure)
	}
	config.ChannelBinding = conn.channelBinding()
	sniff := &sniffer{max: maxMessages}
	out := &pipeline{w: conn, sniff: sniff}
	if err := out.load(messages(a.first)); err != nil {
		_ = conn.Close() // nothing was sent yet
		return nil, reject(&facts.Failure{Kind: facts.SetupFailed})
	}
	s := &Session{host: h, kind: a.kind, separate: a.separate, first: a.first, out: out, sniff: sniff, wire: conn.wire}
	config.DialFunc = oneShot(conn.Conn)
	config.BuildFrontend = func(r io.Reader, _ io.Writer) *pgproto3.Frontend {
		sniff.r = r
		return pgproto3.NewFrontend(sniff, out)
	}
	config.OnNotice = s.note
	// The wire has the deadline: with a context of its own pgconn would leave a
	// goroutine behind that sends a cancel request.
	if s.conn, err = pgconn.ConnectConfig(context.Background(), config); err != nil {
		_ = s.wire.Close() // pgconn has closed it already
		rejected := reject(h.loginFailure(sniff, err))
		rejected.pipelined = out.wasSent()
		rejected.scram = sniff.auth == authSASLContinue
		return nil, rejected
	}
	return s, nil
}

// loginFailure returns what pgconn's error means. Its text can hold the password
// and is never passed on.
func (h *Host) loginFailure(sniff *sniffer, err error) *facts.Failure {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return &facts.Failure{Kind: facts.LoginRejected, Request: sniff.request(), Server: serverMessage(h.Password, pgErr)}
	}
	kind := facts.NotPostgres
	switch {
	case requestsCertificate(err):
		kind = facts.ClientCertificateRequested
	case isTimeout(err), isClosed(err):
		return connectionFailure(err, sniff.spoke || h.Endpoint.SSL)
	case sniff.auth == authCleartext && (!h.Endpoint.SSL || h.tlsAdded):
		kind = facts.CleartextWithoutTLS
	case sniff.auth == authCleartext && !h.maySendPassword():
		kind = facts.CleartextUnverified
	case sniff.auth == authGSS, sniff.auth == authSSPI:
		kind = facts.KerberosRequested
	case sniff.spoke && sniff.auth != 0:
		kind = facts.ProofFailed
	}
	return &facts.Failure{Kind: kind}
}

// tlsMayHelp reports whether TLS may change the outcome of a login without it.
func tlsMayHelp(r *rejection) bool {
	return r.Kind == facts.CleartextWithoutTLS || rejectsAuthorization(r.Server)
}

func rejectsAuthorization(m *facts.ServerMessage) bool {
	return m != nil && m.SQLSTATE == pgerrcode.InvalidAuthorizationSpecification
}

// retryWithTLS finds out whether the server accepts the role over TLS. If it does,
// that session completes the report. first is why it did not without TLS.
func (h *Host) retryWithTLS(ctx context.Context, first *rejection) (*Session, *rejection) {
	h.Endpoint.SSL, h.tlsAdded = true, true
	s, rejected := h.open(ctx, h.Session, nil)
	if rejected != nil && rejected.Kind == facts.CleartextWithoutTLS {
		return nil, rejected // pg_hba.conf lets the role in: with ssl the password may be sent
	}
	if rejected != nil && (rejected.Server == nil || rejectsAuthorization(rejected.Server)) {
		if first.Kind == facts.CleartextWithoutTLS && rejected.Kind == facts.TLSNotOffered {
			first.Kind = facts.CleartextNoTLS
		}
		return nil, first
	}
	h.Evidence.TLSOnly = true
	return s, rejected
}

// fallback returns the kind of session to try after the server rejected the session
// that was requested with m, so that the report is complete. It returns the same kind
// if m is a reason to reject every session. RDS can let a role in with a token, and
// reject its walsender as if the token were wrong.
func (h *Host) fallback(m *facts.ServerMessage) facts.SessionKind {
	kind := h.Session
	switch {
	case m != nil && h.Endpoint.ByIAM() && pgerrcode.IsInvalidAuthorizationSpecification(m.SQLSTATE):
		return facts.Ordinary
	case m == nil, pgerrcode.IsInvalidAuthorizationSpecification(m.SQLSTATE), m.SQLSTATE == pgerrcode.InvalidCatalogName,
		stopsServer(m.SQLSTATE):
		return kind
	case m.SQLSTATE == pgerrcode.ProtocolViolation:
		return facts.Bare
	}
	return facts.Ordinary
}

// stopsServer reports whether a SQLSTATE is of the subclass 57P: the server starts,
// stops, or ended the session.
func stopsServer(sqlstate string) bool { return strings.HasPrefix(sqlstate, "57P") }

// major returns the major version of a server_version such as "15.8 (Debian)", or 0
// if it can't be read.
func major(version string) int {
	end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(version)
	}
	n, err := strconv.Atoi(version[:end])
	if err != nil {
		return 0
	}
	return n
}
