package probe_test

import (
	"crypto/tls"
	"encoding/pem"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

const (
	rejectAll  = "host all all 127.0.0.1/32 reject"
	identAll   = "host all all 127.0.0.1/32 ident"
	clientCert = "hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca"
	certMethod = "hostssl all all 127.0.0.1/32 cert"
	// radiusAll asks a server that does not exist. Unlike PAM and LDAP, every build has
	// the method.
	radiusAll = `host all all 127.0.0.1/32 radius radiusservers="127.0.0.1" radiusports="1" radiussecrets="x"`
)

const hostSSLOnly = "hostssl all all 127.0.0.1/32 scram-sha-256"

// tlsFindings returns the codes of the tls check.
func tlsFindings() map[check.Code]finding {
	return map[check.Code]finding{
		check.TLSNotSupported: {check.TLS, check.Failed, []state{
			{cause: "ssl is off", fix: sql, setup: func(t *testing.T) *source {
				server := pgtest.Start(t, pgserver.Options{})
				s := newSource(t, server)
				s.admin("ALTER SYSTEM SET ssl = off")
				reload(t, server)
				return s
			}},
		}},
		check.TLSFailed: {check.TLS, check.Failed, []state{
			{cause: "only TLS 1.1", fix: sql, setup: func(t *testing.T) *source {
				return newSource(t, pgtest.Start(t, pgserver.Options{Settings: map[string]string{"ssl_min_protocol_version": "TLSv1", "ssl_max_protocol_version": "TLSv1.1"}}))
			}},
			{cause: "no cipher in common", says: "the server ended it with the alert", setup: func(t *testing.T) *source {
				config := serverTLS(t)
				config.MaxVersion, config.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
				return newTargetSource(t, (&standIn{tls: config, serve: discardInput}).start(t).port)
			}},
		}},
		check.TLSCertificateInvalid: {check.TLS, check.Failed, []state{
			{cause: "an unknown authority", fix: advice, setup: verifying("127.0.0.1", ""), repair: trust},
			{cause: "another authority", fix: advice, repair: trust, setup: func(t *testing.T) *source {
				return verifying("127.0.0.1", pemOf(serverTLS(t)))(t)
			}},
			{cause: "an expired certificate", fix: advice, setup: withCertificate(-48*time.Hour, -time.Hour)},
			{cause: "a certificate that is not valid yet", fix: advice, setup: withCertificate(time.Hour, 48*time.Hour)},
			{cause: "another host's certificate", fix: advice, setup: verifying("db.example.com", ""), repair: func(s *source) {
				trust(s)
				s.target.Endpoint.Hostname = "localhost"
			}},
		}},
		check.TLSNotUsed: {check.TLS, check.Warned, []state{
			{cause: "ssl is false", fix: advice, repair: withTLS, setup: sourceWith(func(s *source) { s.target.Endpoint.SSL = false })},
		}},
		check.TLSRequired: {check.TLS, check.Failed, []state{
			{cause: "hostssl only", fix: advice, setup: withoutTLS(hostSSLOnly), repair: withTLS},
			{cause: "a password in cleartext", fix: advice, setup: withoutTLS("host all all 127.0.0.1/32 password"), repair: withTLS},
			{cause: "a password in cleartext, and no TLS", fix: advice, setup: func(t *testing.T) *source {
				s := newSource(t, pgtest.Start(t, pgserver.Options{NoTLS: true, HBA: []string{"host all all 127.0.0.1/32 password"}}))
				s.target.Endpoint.SSL = false
				return s
			}, repair: func(s *source) { setHBA(s.t, s.server, "host all all 127.0.0.1/32 scram-sha-256") }},
		}},
	}
}

func withTLS(s *source) { s.target.Endpoint.SSL = true }

func withoutTLS(line string) func(t *testing.T) *source {
	return func(t *testing.T) *source {
		s := newSource(t, pgtest.Start(t, pgserver.Options{HBA: []string{line}}))
		s.target.Endpoint.SSL = false
		return s
	}
}

// trust sends the server's own certificate authority.
func trust(s *source) { s.target.Endpoint.SSLRootCert = string(s.server.RootCertPEM()) }

// verifying returns a setup of a source on the shared server with verify-full, under
// the name host and with the authority in root.
func verifying(host, root string) func(t *testing.T) *source {
	return func(t *testing.T) *source {
		s := newSource(t, shared)
		s.target.Endpoint.Hostname = host
		s.target.Endpoint.SSLMode, s.target.Endpoint.SSLRootCert = database.SSLModeVerifyFull, root
		s.prober = resolvingTo(t, "127.0.0.1")
		return s
	}
}

// pemOf returns the certificate of config as PEM.
func pemOf(config *tls.Config) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: config.Certificates[0].Certificate[0]}))
}

func reload(t *testing.T, server *pgserver.Server) {
	t.Helper()
	if err := server.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func setHBA(t *testing.T, server *pgserver.Server, lines ...string) {
	t.Helper()
	if err := server.SetHBA(t.Context(), lines...); err != nil {
		t.Fatal(err)
	}
}

// loginFindings returns the codes of the authentication and server_version checks.
func loginFindings() map[check.Code]finding {
	return map[check.Code]finding{
		check.AuthenticationFailed: {check.Authentication, check.Failed, []state{
			{cause: "a wrong password", setup: sourceWith(func(s *source) { s.target.Passwords.Main = "wrong" })},
			{cause: "no such role", setup: sourceWith(func(s *source) { s.target.Endpoint.Username = "nobody" })},
			{cause: "a role without a password", setup: sourceWith(func(s *source) { s.admin("ALTER ROLE " + s.role() + " PASSWORD NULL") })},
			{cause: "another service rejects the password", fix: advice, setup: withHBA(radiusAll), repair: func(s *source) {
				setHBA(s.t, s.server, "host all all 127.0.0.1/32 scram-sha-256")
			}},
			{cause: "a pooler rejects the password", says: "connection pooler", setup: func(t *testing.T) *source {
				s := pooled("")(t)
				s.target.Passwords.Main = "wrong"
				return s
			}},
			{cause: "a pooler has no such role", says: "connection pooler", setup: func(t *testing.T) *source {
				s := pooled("")(t)
				s.target.Endpoint.Username = "nobody"
				return s
			}},
			{cause: "too many iterations of SCRAM", setup: servedBy(requestingSCRAM(",i=5000000"))},
		}},
		check.DatabaseNotFound: {check.Authentication, check.Failed, []state{
			{cause: "no such database behind a pooler", says: "connection pooler", setup: func(t *testing.T) *source {
				s := pooled("")(t)
				s.target.Endpoint.Database = "absent"
				return s
			}},
			{cause: "no such database", setup: sourceWith(func(s *source) { s.target.Endpoint.Database = "absent" })},
		}},
		check.ConnectionNotPermitted: {check.Authentication, check.Failed, []state{
			{cause: "no line of pg_hba", fix: advice, setup: func(t *testing.T) *source {
				return newSource(t, pgtest.Start(t, pgserver.Options{HBA: []string{"host all somebody 127.0.0.1/32 scram-sha-256"}}))
			}, repair: addSuggestedHBALine()},
			{cause: "a line that rejects", fix: advice, setup: withHBA(rejectAll), repair: addSuggestedHBALine(rejectAll)},
			{cause: "a method without a password", fix: advice, setup: withHBA(identAll), repair: addSuggestedHBALine(identAll)},
			{cause: "NOLOGIN", fix: sql, setup: sourceWith(func(s *source) { s.admin("ALTER ROLE " + s.role() + " NOLOGIN") })},
			{cause: "no CONNECT", fix: sql, setup: sourceWith(func(s *source) { s.admin("REVOKE CONNECT ON DATABASE " + s.database() + " FROM PUBLIC") })},
			{cause: "a database that accepts no connections", fix: sql, setup: sourceWith(func(s *source) {
				s.admin("ALTER DATABASE " + s.database() + " ALLOW_CONNECTIONS false")
			})},
		}},
		check.ClientCertificateRequired: {check.Authentication, check.Failed, []state{
			{cause: "the option clientcert", fix: advice, setup: withHBA(clientCert), repair: addSuggestedHBALine(clientCert)},
			{cause: "the method cert", fix: advice, setup: withHBA(certMethod), repair: addSuggestedHBALine(certMethod)},
			{cause: "TLS 1.3 requires it", fix: advice, setup: requiringCertificate(tls.VersionTLS13)},
			{cause: "TLS 1.2 requires it", fix: advice, setup: requiringCertificate(tls.VersionTLS12)},
		}},
		check.TooManyConnections: {check.Authentication, check.Failed, []state{
			{cause: "the database's limit, with more sessions", fix: sql, otherFailures: true, keeps: limited, setup: sourceWith(func(s *source) {
				for range 12 {
					openSession(s.t, s.server, s.target.Endpoint.Database, nil)
				}
				s.admin("ALTER ROLE " + s.role() + " NOREPLICATION")
				s.admin("ALTER DATABASE " + s.database() + " CONNECTION LIMIT 1")
			})},
			{cause: "max_connections", fix: advice, setup: fullServer},
			{cause: "the role's limit", fix: sql, otherFailures: true, keeps: limited, setup: sourceWith(func(s *source) {
				// Some versions do not count walsenders.
				s.admin("ALTER ROLE " + s.role() + " NOREPLICATION CONNECTION LIMIT 0")
			})},
			{cause: "the database's limit", fix: sql, otherFailures: true, keeps: limited, setup: sourceWith(func(s *source) {
				s.admin("ALTER ROLE " + s.role() + " NOREPLICATION")
				s.admin("ALTER DATABASE " + s.database() + " CONNECTION LIMIT 0")
			})},
		}},
		check.ServerUnavailable: {check.Authentication, check.Failed, []state{
			{cause: "it is shutting down", setup: shuttingDown},
			{cause: "it can't start a process", setup: func(t *testing.T) *source {
				return newTargetSource(t, (&standIn{serve: sendAndWait("Ecould not fork new process for connection\n\x00")}).start(t).port)
			}},
		}},
		check.ServerError: {check.Authentication, check.Failed, []state{
			{cause: "a database whose removal was interrupted", setup: sourceWith(func(s *source) {
				s.admin("UPDATE pg_database SET datconnlimit = -2 WHERE datname = " + literal(s.target.Endpoint.Database))
			})},
		}},
		check.UnsupportedServerVersion: {check.ServerVersion, check.Failed, []state{
			{cause: "PostgreSQL 11", fix: advice, setup: servedBy(answeringQueries("11.22", "{}"))},
			{cause: "PostgreSQL 9.6", fix: advice, setup: servedBy(answeringQueries("9.6.24", "{}"))},
		}},
	}
}

// limited fails the test if neither the role nor the database has a connection limit.
func limited(s *source) {
	if s.admin("SELECT GREATEST(rolconnlimit, datconnlimit) FROM pg_roles, pg_database WHERE rolname = "+literal(s.target.Endpoint.Username)+
		" AND datname = "+literal(s.target.Endpoint.Database)) == "-1" {
		s.t.Error("the fix took the limit away")
	}
}

// sourceWith returns a setup of a source on the shared server, after a change.
func sourceWith(change func(s *source)) func(t *testing.T) *source {
	return func(t *testing.T) *source {
		s := newSource(t, shared)
		change(s)
		return s
	}
}

// withHBA returns a setup of a source on a server with these lines of pg_hba.conf.
func withHBA(lines ...string) func(t *testing.T) *source {
	return func(t *testing.T) *source {
		return newSource(t, pgtest.Start(t, pgserver.Options{HBA: lines, Settings: map[string]string{"ssl_ca_file": "root.crt"}}))
	}
}

// addSuggestedHBALine returns a repair that adds the line in the fix above lines, those
// that there are.
func addSuggestedHBALine(lines ...string) func(*source) {
	return func(s *source) {
		s.t.Helper()
		c, _ := s.probe().FirstFailure()
		_, line, _ := strings.Cut(c.Fix, "`")
		line, _, _ = strings.Cut(line, "`")
		line = strings.ReplaceAll(line, "<this service's address>", "127.0.0.1")
		setHBA(s.t, s.server, append([]string{line}, lines...)...)
	}
}

// fullServer has neither a connection nor a walsender left.
func fullServer(t *testing.T) *source {
	server := pgtest.Start(t, pgserver.Options{Settings: map[string]string{
		"max_connections": "6", "superuser_reserved_connections": "3", "max_wal_senders": "1",
		"autovacuum": "off",
	}})
	s := newSource(t, server)
	openSession(t, server, "postgres", map[string]string{"replication": "database"})
	for range 3 {
		openSession(t, server, "postgres", nil)
	}
	return s
}

// shuttingDown is a server that waits for its last session to end.
func shuttingDown(t *testing.T) *source {
	server := pgtest.Start(t, pgserver.Options{})
	s := newSource(t, server)
	openSession(t, server, "postgres", nil)
	if err := syscall.Kill(server.PID(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if _, err := server.Exec(t.Context(), "postgres", "SELECT 1"); err != nil {
			return s
		}
	}
	t.Fatal("the server does not shut down")
	return nil
}

func TestProbe_VerifyFull(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"127.0.0.1", "localhost", "localhost."} {
		s := verifying(host, string(shared.RootCertPEM()))(t)
		report := s.probe()
		if failure, failed := report.FirstFailure(); failed || status(report, check.TLS) != check.Passed {
			t.Errorf("%s: %s%s", host, failure.Code, describe(report))
		}
	}
}

func TestProbe_OtherCurve(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	config := serverTLS(t)
	config.CurvePreferences = []tls.CurveID{tls.X25519}
	front := (&standIn{tls: config, serve: func(conn net.Conn) { forward(conn, shared.Port()) }}).start(t)
	s.target.Endpoint.Port = front.port
	if failure, failed := s.probe().FirstFailure(); failed {
		t.Errorf("%s: %s", failure.Code, failure.Message)
	}
	if n := front.accepted.Load(); n != 2 {
		t.Errorf("%d connections were made, want 2", n)
	}
}

func TestProbe_TLSOnly(t *testing.T) {
	t.Parallel()
	s := withoutTLS(hostSSLOnly)(t)
	s.target.Slot.SlotName = "absent"
	report := s.probe()
	for _, code := range []check.Code{check.TLSRequired, check.SlotNotFound} {
		if _, ok := entry(report, code); !ok {
			t.Errorf("no %s in%s", code, describe(report))
		}
	}
}

func TestProbe_DeadlineDuringStatement(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	lock := openSession(t, shared, s.target.Endpoint.Database, nil)
	mustDo(t, lock, "BEGIN")
	mustDo(t, lock, "LOCK TABLE pg_publication IN ACCESS EXCLUSIVE MODE")
	s.limit = time.Second
	begin := time.Now()
	report := s.probe()
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
	if _, ok := entry(report, check.ConnectionLost); !ok {
		t.Error(describe(report))
	}
}
