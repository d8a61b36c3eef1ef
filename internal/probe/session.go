package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

const (
	// mostMessage bounds one message of a target's, in bytes.
	mostMessage = 1 << 20
	// statementTime is a statement's limit on the server.
	statementTime = 3 * time.Second
	// closeTime bounds the farewell to a server.
	closeTime = time.Second
)

// mode is how a session is asked for.
type mode int

const (
	// walsender asks for a walsender of the database: it runs any SQL over the
	// simple protocol, and being let in proves that the role may replicate, that
	// a walsender is free, and that no pooler is in the way.
	walsender mode = iota
	// ordinary asks for a plain session, where that one was refused.
	ordinary
	// bare is ordinary without settings, which poolers refuse.
	bare
)

// session is one logged-in connection to a target.
type session struct {
	conn  *pgconn.PgConn
	wire  *wire
	sniff *sniffer
	mode  mode
	login login
	notes []pgconn.Notice
}

// login is where and as whom to open sessions.
type login struct {
	addrs    []netip.AddrPort
	endpoint database.Endpoint
	password database.Password
}

// maySayPassword tells whether the server may get the password in cleartext: over
// TLS only, and one that somebody else keeps only where it is known whose server
// it is.
func (l login) maySayPassword() bool {
	if l.endpoint.PasswordSecretARN != "" {
		return l.endpoint.SSL && l.endpoint.SSLMode == database.SSLModeVerifyFull
	}
	return l.endpoint.SSL
}

// refusal is why there is no session: the finding, and what the server said.
type refusal struct {
	check.Entry
	pgErr     *pgconn.PgError
	cleartext bool
	ahead     bool // a statement was sent ahead
}

func refuse(c *check.Entry) *refusal { return &refusal{Entry: *c} }

// open makes one session, whose first statement is first. Where that is sent
// ahead and the connection ends, it tries without: something in between may not
// have understood.
func (p *Prober) open(ctx context.Context, l login, m mode, first string) (*session, *refusal) {
	if p.Apart {
		first = ""
	}
	s, refused := p.openOnce(ctx, l, m, first)
	if refused != nil && refused.ahead && refused.Code == check.ConnectionLost && ctx.Err() == nil {
		return p.openOnce(ctx, l, m, "")
	}
	return s, refused
}

// openOnce takes at most one TCP connection but where the server has none of the
// fast curves. It sends first ahead where it can, if there is one.
func (p *Prober) openOnce(ctx context.Context, l login, m mode, first string) (*session, *refusal) {
	config, err := startup(l, m)
	if err != nil {
		return nil, refuse(failed(check.Authentication, check.ServerError, "the session could not be set up", ""))
	}
	conn, refused := p.transport(ctx, l)
	if refused != nil {
		return nil, refuse(refused)
	}
	sniff := &sniffer{most: mostMessages}
	out, err := newAhead(conn, sniff, first)
	if err != nil {
		_ = conn.Close() // nothing was said yet
		return nil, refuse(failed(check.Authentication, check.ServerError, "the session could not be set up", ""))
	}
	s := &session{mode: m, login: l, sniff: sniff, wire: conn.wire}
	config.DialFunc = oneShot(conn.Conn)
	config.BuildFrontend = func(r io.Reader, _ io.Writer) *pgproto3.Frontend {
		sniff.r = r
		return pgproto3.NewFrontend(sniff, out)
	}
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		if len(s.notes) < 20 {
			s.notes = append(s.notes, *n)
		}
	}
	if !l.maySayPassword() {
		config.RequireAuth = "!password"
	}
	// The wire carries the deadline: with a context of its own pgconn would leave
	// a goroutine behind that sends a cancel request.
	if s.conn, err = pgconn.ConnectConfig(context.Background(), config); err != nil {
		_ = s.wire.Close() // pgconn has done so already
		refused := loginFailure(l, sniff, err)
		refused.ahead = out.sent.Load()
		return nil, refused
	}
	return s, nil
}

// transport is a connection to the target, over TLS where the endpoint says so.
type transport struct {
	net.Conn
	wire *wire
}

func (p *Prober) transport(ctx context.Context, l login) (transport, *check.Entry) {
	t, again, refused := p.tryTransport(ctx, l, fastCurves())
	if again {
		t, _, refused = p.tryTransport(ctx, l, nil)
	}
	return t, refused
}

func (p *Prober) tryTransport(ctx context.Context, l login, curves []tls.CurveID) (t transport, again bool, refused *check.Entry) {
	w, refused := p.dial(ctx, l.addrs)
	if refused != nil {
		return t, false, refused
	}
	if !l.endpoint.SSL {
		return transport{Conn: w, wire: w}, false, nil
	}
	refused = askTLS(w)
	if refused == nil {
		var conn *tls.Conn
		if conn, again, refused = p.encrypt(ctx, w, l.endpoint, curves); refused == nil {
			return transport{Conn: conn, wire: w}, false, nil
		}
	}
	if err := w.Close(); err != nil {
		return t, again, refused // it is the refusal that is told
	}
	return t, again, refused
}

// fixedConfig has a value for every setting that pgconn would else take from the
// environment and could stumble over.
const fixedConfig = "host=localhost port=5432 user=none password=none dbname=none sslmode=disable target_session_attrs=any " +
	"connect_timeout=0 passfile='' sslkey='' sslcert='' sslrootcert='' sslcertmode=disable sslnegotiation=postgres sslpassword='' " +
	"channel_binding=prefer require_auth='' min_protocol_version=3.0 max_protocol_version=3.0"

// startup is the configuration of a session: a fixed string is parsed, so that
// nothing of the caller's is, and what the environment put in is set anew.
func startup(l login, m mode) (*pgconn.Config, error) {
	config, err := pgconn.ParseConfig(fixedConfig)
	if err != nil {
		return nil, errors.New("the session's configuration was refused") // the error can carry the environment's password
	}
	config.Host, config.Port = l.addrs[0].Addr().String(), l.addrs[0].Port()
	config.Database, config.User = l.endpoint.Database, l.endpoint.Username
	config.Password = l.password.Reveal()
	config.TLSConfig, config.Fallbacks = nil, nil
	config.ConnectTimeout = 0
	config.ValidateConnect, config.AfterConnect = nil, nil
	config.ChannelBinding, config.RequireAuth = "prefer", ""
	config.MinProtocolVersion, config.MaxProtocolVersion = "3.0", "3.0"
	config.SSLNegotiation, config.SSLCertMode = "postgres", "disable"
	config.KerberosSrvName, config.KerberosSpn = "", ""
	config.MaxProtocolMessageBodyLen = mostMessage
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	config.RuntimeParams = parameters(m)
	return config, nil
}

func parameters(m mode) map[string]string {
	params := map[string]string{"client_encoding": "UTF8", "application_name": "headgate"}
	if m == bare {
		return params
	}
	params["statement_timeout"] = milliseconds(statementTime)
	params["client_min_messages"] = "warning"
	params["default_transaction_read_only"] = "on" // looks, and never touches
	if m == walsender {
		params["replication"] = "database"
	}
	return params
}

// milliseconds is d as a setting has it.
func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// oneShot gives conn to the first caller and nothing to the next: pgconn dials
// again for a cancel request, which is not wanted here.
func oneShot(conn net.Conn) pgconn.DialFunc {
	return func(context.Context, string, string) (net.Conn, error) {
		if conn == nil {
			return nil, net.ErrClosed
		}
		c := conn
		conn = nil
		return c, nil
	}
}

// loginFailure turns what pgconn says of a login into a finding. pgconn's own
// text can hold the password and is never passed on.
func loginFailure(l login, sniff *sniffer, err error) *refusal {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return &refusal{Entry: *serverRefusal(l, pgErr), pgErr: pgErr}
	}
	switch {
	case isTimeout(err), isClosed(err):
		if isClosed(err) || sniff.spoke || l.endpoint.SSL {
			return refuse(silence(err, true))
		}
		return refuse(silence(err, false))
	case sniff.auth == authCleartext && l.endpoint.SSL && !l.maySayPassword():
		return refuse(failed(check.Authentication, check.ConnectionNotPermitted,
			"the server asks for the password in cleartext, and one that a secret of somebody else's has goes to a verified server only",
			`send "ssl_mode": "verify-full"`))
	case sniff.auth == authCleartext && !l.endpoint.SSL:
		return &refusal{cleartext: true, Entry: *failed(check.TLS, check.TLSRequired,
			"the server asks for the password in cleartext, which goes over TLS only, and ssl is false", `send "ssl": true`)}
	case sniff.auth == authGSS, sniff.auth == authSSPI:
		return refuse(failed(check.Authentication, check.ConnectionNotPermitted,
			"the server wants Kerberos (GSSAPI or SSPI) from this role, not a password",
			"add a line with scram-sha-256 for this role and database to pg_hba.conf"))
	case sniff.spoke && sniff.auth != 0:
		return refuse(failed(check.Authentication, check.AuthenticationFailed,
			"the login could not be completed: server and client could not agree on the proof of the password", ""))
	}
	return refuse(notPostgres())
}

// query runs one statement over the simple protocol and gives its only value.
func (s *session) query(sql string) ([]byte, error) {
	results, err := s.conn.Exec(context.Background(), sql).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) != 1 {
		return nil, errors.New("the server's answer has another form than the question")
	}
	return results[0].Rows[0][0], nil
}

// allow lets the server say more than an answer takes.
func (s *session) allow(bytes, messages int) {
	s.wire.left += bytes
	s.sniff.most += messages
}

// do runs one statement whose answer does not matter.
func (s *session) do(sql string) error {
	_, err := s.conn.Exec(context.Background(), sql).ReadAll()
	return err
}

// close takes leave of the server without waiting for its answer.
func (s *session) close() {
	s.wire.stop()
	if err := s.wire.SetDeadline(time.Now().Add(closeTime)); err == nil && !s.conn.IsClosed() {
		_ = s.conn.Close(context.Background()) // the server notices, said or not
	}
	_ = s.wire.Close()
	<-s.conn.CleanupDone()
}
