package probe_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/certificates"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

// withCertificate returns a setup of a server whose certificate is valid for that time
// from now, under an authority that the source trusts.
func withCertificate(from, to time.Duration) func(t *testing.T) *source {
	return func(t *testing.T) *source {
		chain := issue(t, certificates.Options{NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to)})
		pair, err := tls.X509KeyPair(chain.Certificate, chain.Key)
		if err != nil {
			t.Fatal(err)
		}
		config := &tls.Config{Certificates: []tls.Certificate{pair}}
		s := newTargetSource(t, (&standIn{tls: config, serve: discardInput}).start(t).port)
		s.target.Endpoint.Hostname, s.target.Endpoint.SSL = "localhost", true
		s.target.Endpoint.SSLMode = database.SSLModeVerifyFull
		s.target.Endpoint.SSLRootCert = string(chain.Authority)
		s.prober = resolvingTo(t, "127.0.0.1")
		return s
	}
}

func issue(t *testing.T, options certificates.Options) certificates.Chain {
	t.Helper()
	chain, err := certificates.New(options)
	if err != nil {
		t.Fatal(err)
	}
	return chain
}

// requiringCertificate returns a setup of a server that ends TLS handshakes without a
// certificate of the client.
func requiringCertificate(version uint16) func(t *testing.T) *source {
	return func(t *testing.T) *source {
		config := serverTLS(t)
		config.ClientAuth, config.MaxVersion = tls.RequireAnyClientCert, version
		return newTargetSource(t, (&standIn{tls: config, serve: discardInput}).start(t).port)
	}
}

func TestProbe_PasswordAlphabets(t *testing.T) {
	t.Parallel()
	servers := map[string]*pgserver.Server{
		"scram-sha-256": shared,
		"md5":           pgtest.Start(t, pgserver.Options{PasswordEncryption: "md5", HBA: []string{"host all all 127.0.0.1/32 md5"}}),
		"password":      pgtest.Start(t, pgserver.Options{HBA: []string{"host all all 127.0.0.1/32 password"}}),
	}
	for name, text := range map[string]string{
		"ASCII": "a b'\"\\", "soft hyphen": "pass\u00adword", "no-break space": "pass\u00a0word", "zero-width space": "pass\u200bword", "Mongolian hyphen": "pass\u1806word",
		"ligature": "\ufb01ne", "full width": "\uff50\uff57", "decomposed": "e\u0301", "emoji": "pw\U0001f600",
		"unassigned in Unicode 3.2": "pw\u0221", "control": "pw\u0007", "right to left": "\u05e9\u05dc", "both directions": "a\u05e9",
		"soft hyphen and both directions": "a\u05e9\u00ad",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for method, server := range servers {
				s := newSource(t, server)
				s.admin("ALTER ROLE " + s.role() + " PASSWORD " + literalE(text))
				s.target.Passwords.Main = database.Password(text)
				if failure, failed := s.probe().FirstFailure(); failed {
					t.Errorf("%s: %s: %s", method, failure.Code, failure.Message)
				}
				s.target.Passwords.Main += "x"
				if failure, _ := s.probe().FirstFailure(); failure.Code != check.AuthenticationFailed {
					t.Errorf("%s: with another password: %q", method, failure.Code)
				}
			}
		})
	}
}

// literalE returns s as a literal in which a backslash is escaped.
func literalE(s string) string {
	quoted := literal(s)
	out := make([]byte, 0, len(quoted)+1)
	for i := range len(quoted) {
		if quoted[i] == '\\' {
			out = append(out, '\\')
		}
		out = append(out, quoted[i])
	}
	return "E" + string(out)
}

func TestProbe_CertificateSignatures(t *testing.T) {
	t.Parallel()
	for _, signature := range []x509.SignatureAlgorithm{x509.PureEd25519, x509.SHA256WithRSA, x509.SHA256WithRSAPSS, x509.ECDSAWithSHA256} {
		t.Run(signature.String(), func(t *testing.T) {
			t.Parallel()
			s := newSource(t, pgtest.Start(t, pgserver.Options{Certificates: issue(t, certificates.Options{Signature: signature})}))
			if failure, failed := s.probe().FirstFailure(); failed {
				t.Errorf("%s: %s", failure.Code, failure.Message)
			}
			trust(s)
			s.target.Endpoint.SSLMode = database.SSLModeVerifyFull
			if failure, failed := s.probe().FirstFailure(); failed {
				t.Errorf("verify-full: %s: %s", failure.Code, failure.Message)
			}
		})
	}
}

func TestProbe_LoginTriggers(t *testing.T) {
	t.Parallel()
	if major() < 17 {
		return // login triggers are of version 17
	}
	for name, body := range map[string]string{
		"writes": "INSERT INTO logins DEFAULT VALUES", "takes 4 seconds": "PERFORM pg_sleep(4)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSource(t, shared)
			s.exec("CREATE TABLE logins (at timestamptz DEFAULT now()); GRANT INSERT ON logins TO PUBLIC")
			s.exec("CREATE FUNCTION on_login() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN " + body + "; END'")
			s.exec("CREATE EVENT TRIGGER on_login ON login EXECUTE FUNCTION on_login()")
			s.exec("ALTER EVENT TRIGGER on_login ENABLE ALWAYS")
			s.limit = 0
			if failure, failed := s.probe().FirstFailure(); failed {
				t.Errorf("%s: %s", failure.Code, failure.Message)
			}
		})
	}
}

func TestProbe_DefaultsOfTheRole(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{
		"default_transaction_isolation = 'serializable'", "default_transaction_read_only = on", "statement_timeout = '5ms'",
		"standard_conforming_strings = off", "search_path = 'nowhere'", "client_min_messages = 'error'", "row_security = off",
		"quote_all_identifiers = on", "DateStyle = 'SQL, DMY'", "idle_in_transaction_session_timeout = '20ms'",
		"transform_null_equals = on", "client_min_messages = 'debug5'",
	} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			s := newSource(t, shared)
			s.admin("ALTER ROLE " + s.role() + " SET " + setting)
			report := s.probe()
			// Until the probe has lifted it, the role's limit of 5 ms holds: on a busy machine
			// it may cut even the statement that lifts it.
			for range 9 {
				if len(report.Codes()) > 0 {
					report = s.probe()
				}
			}
			if len(report.Codes()) > 0 {
				t.Error(describe(report))
			}
		})
	}
}

// TestProbe_SearchPathOfTheRole has operators that hide the system's from a role whose
// search path names their schema first. None of them may run.
func TestProbe_SearchPathOfTheRole(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	s.exec("CREATE SCHEMA first; GRANT USAGE ON SCHEMA first TO PUBLIC")
	for _, kind := range []string{"name", "text", "oid", "int", "bool", `"char"`, "jsonb"} {
		s.exec(fmt.Sprintf(`CREATE FUNCTION first.eq(%s, %[1]s) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RAISE ''it ran''; END';
CREATE OPERATOR first.= (LEFTARG = %[1]s, RIGHTARG = %[1]s, FUNCTION = first.eq)`, kind))
	}
	s.admin("ALTER ROLE " + s.role() + " SET search_path = first, pg_catalog")
	if report := s.probe(); len(report.Codes()) > 0 {
		t.Error(describe(report))
	}
}

// TestProbe_PoolerThatForwards has a front that rejects start-up parameters that it
// does not know, and forwards replication logins, as PgBouncer does from 1.23 on.
func TestProbe_PoolerThatForwards(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	known := []string{"user", "database", "client_encoding", "application_name", "replication", "options"}
	front := (&standIn{serve: func(conn net.Conn) {
		b, startup, err := acceptStartup(conn)
		if err != nil {
			return
		}
		for name := range startup.Parameters {
			if !slices.Contains(known, name) {
				_ = b.send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: pgerrcode.ProtocolViolation, Message: "unsupported startup parameter: " + name})
				return
			}
		}
		message, err := startup.Encode(nil)
		if err == nil {
			forwardAfter(conn, shared.Port(), message)
		}
	}}).start(t)
	s.target.Endpoint.Port, s.target.Endpoint.SSL = front.port, false
	report := s.probe()
	if failure, failed := report.FirstFailure(); failed {
		t.Errorf("%s: %s", failure.Code, describe(report))
	}
}

func TestProbe_CleartextAfterTLSWasAdded(t *testing.T) {
	t.Parallel()
	passwords := make(chan string, 10)
	config := serverTLS(t)
	front := (&standIn{serve: func(conn net.Conn) {
		message, err := pgproto3.NewBackend(conn, conn).ReceiveStartupMessage()
		if err != nil {
			return
		}
		b := &backend{Backend: pgproto3.NewBackend(conn, conn), conn: conn}
		if _, ok := message.(*pgproto3.SSLRequest); ok {
			if _, err = conn.Write([]byte("S")); err != nil {
				return
			}
			b, _, err = acceptStartup(tls.Server(conn, config))
		}
		if err != nil || b.send(&pgproto3.AuthenticationCleartextPassword{}) != nil {
			return
		}
		if err := b.SetAuthType(pgproto3.AuthTypeCleartextPassword); err != nil {
			return
		}
		if message, err := b.Receive(); err == nil {
			if m, ok := message.(*pgproto3.PasswordMessage); ok {
				passwords <- m.Password
			}
		}
	}}).start(t)
	s := newTargetSource(t, front.port)
	s.target.Endpoint.SSL = false
	report := s.probe()
	if _, ok := entry(report, check.TLSRequired); !ok {
		t.Error(describe(report))
	}
	if len(passwords) > 0 {
		t.Error("the server received the password, though ssl is false")
	}
}

// TestProbe_PasswordOfRDSIAM has a role of RDS that signs in with tokens: there its line
// of pg_hba.conf has the method pam, which rejects as radius does here.
func TestProbe_PasswordOfRDSIAM(t *testing.T) {
	t.Parallel()
	s := withHBA(radiusAll)(t)
	s.target.Endpoint.Hostname = "app.abc.eu-west-1.rds.amazonaws.com"
	s.prober = resolvingTo(t, "127.0.0.1")
	found, _ := s.probe().FirstFailure()
	if found.Code != check.AuthenticationFailed || !strings.Contains(found.Message, "a member of the role rds_iam signs in with a token") ||
		strings.Contains(found.Fix, "pg_hba") || !strings.Contains(found.Fix, "not a member of rds_iam") {
		t.Errorf("%s: %s: %s", found.Code, found.Message, found.Fix)
	}
}
