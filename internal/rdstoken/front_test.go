package rdstoken_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/headgate/headgate/internal/testkit/certificates"
	"github.com/headgate/headgate/internal/testkit/pgserver"
)

// front signs roles in as RDS does for members of rds_iam: it asks for the token over
// TLS, verifies it, and then passes the session on to a real server.
type front struct {
	t        *testing.T
	server   *pgserver.Server
	listener net.Listener
	tls      *tls.Config
	host     string // as the token must have it
	keys     aws.Credentials
	now      func() time.Time
	// noReplication rejects walsenders, as while rds.iam_auth_for_replication is off.
	noReplication bool
}

// serve accepts connections until the test ends.
func (f *front) serve(chain certificates.Chain) {
	f.t.Helper()
	certificate, err := tls.X509KeyPair(chain.Certificate, chain.Key)
	if err != nil {
		f.t.Fatal(err)
	}
	f.tls = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	if f.listener, err = (&net.ListenConfig{}).Listen(f.t.Context(), "tcp", "127.0.0.1:0"); err != nil {
		f.t.Fatal(err)
	}
	var sessions sync.WaitGroup
	sessions.Go(func() {
		for {
			conn, err := f.listener.Accept()
			if err != nil {
				return
			}
			sessions.Go(func() { f.session(conn) })
		}
	})
	f.t.Cleanup(func() {
		_ = f.listener.Close() // which ends Accept
		sessions.Wait()
	})
}

func (f *front) port() int { return f.listener.Addr().(*net.TCPAddr).Port }

func (f *front) session(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	request := make([]byte, 8)
	if _, err := io.ReadFull(conn, request); err != nil {
		return
	}
	if _, err := conn.Write([]byte("S")); err != nil {
		return
	}
	client := tls.Server(conn, f.tls)
	backend := pgproto3.NewBackend(oneByOne{client}, client)
	message, err := backend.ReceiveStartupMessage()
	startup, ok := message.(*pgproto3.StartupMessage)
	if err != nil || !ok {
		return
	}
	backend.Send(&pgproto3.AuthenticationCleartextPassword{})
	if backend.Flush() != nil || backend.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil {
		return
	}
	password, err := backend.Receive()
	token, ok := password.(*pgproto3.PasswordMessage)
	if err != nil || !ok {
		return
	}
	if rejected := f.rejects(startup, token.Password); rejected != nil {
		backend.Send(rejected)
		_ = backend.Flush() // the client may have gone
		return
	}
	f.pass(client, startup)
}

// rejects returns the error of a login that RDS rejects.
func (f *front) rejects(startup *pgproto3.StartupMessage, token string) *pgproto3.ErrorResponse {
	_, walsender := startup.Parameters["replication"]
	if walsender && f.noReplication {
		return &pgproto3.ErrorResponse{Severity: "FATAL", Code: "28P01", Message: "password authentication failed", Routine: "auth_failed"}
	}
	if err := f.verify(startup.Parameters["user"], token); err != nil {
		f.t.Logf("the front rejects the token: %v", err)
		return &pgproto3.ErrorResponse{Severity: "FATAL", Code: "28000", Message: "PAM authentication failed for user", Routine: "auth_failed"}
	}
	return nil
}

// verify returns what is wrong with a token: a presigned request for connect as a user,
// which ends after 15 minutes.
func (f *front) verify(user, token string) error {
	u, err := url.Parse("https://" + token)
	if err != nil {
		return errors.New("not a URL")
	}
	q := u.Query()
	signed, err := time.Parse("20060102T150405Z", q.Get("X-Amz-Date"))
	if err != nil {
		return err
	}
	switch {
	case u.Host != f.host+":"+strconv.Itoa(f.port()):
		return errors.New("of host " + u.Host)
	case q.Get("Action") != "connect" || q.Get("DBUser") != user:
		return errors.New("of user " + q.Get("DBUser"))
	case q.Get("X-Amz-Expires") != "900" || f.now().After(signed.Add(15*time.Minute)):
		return errors.New("expired")
	}
	want := url.Values{"Action": {"connect"}, "DBUser": {user}, "X-Amz-Expires": {"900"}}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://"+u.Host+"?"+want.Encode(), nil)
	if err != nil {
		return err
	}
	const emptyBody = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	presigned, _, err := v4.NewSigner().PresignHTTP(context.Background(), f.keys, request, emptyBody, "rds-db", region, signed)
	if err != nil {
		return err
	}
	expected, err := url.Parse(presigned)
	if err != nil || expected.Query().Get("X-Amz-Signature") != q.Get("X-Amz-Signature") {
		return errors.New("signed by another key")
	}
	return nil
}

// pass connects the client with the server, which trusts the role.
func (f *front) pass(client net.Conn, startup *pgproto3.StartupMessage) {
	server, err := net.Dial("tcp", net.JoinHostPort(f.server.Host(), strconv.Itoa(f.server.Port())))
	if err != nil {
		f.t.Error(err)
		return
	}
	defer func() { _ = server.Close() }()
	message, err := startup.Encode(nil)
	if err != nil {
		f.t.Error(err)
		return
	}
	if _, err := server.Write(message); err != nil {
		f.t.Error(err)
		return
	}
	var toServer sync.WaitGroup
	toServer.Go(func() {
		_, _ = io.Copy(server, client) // ends when either side closes
		_ = server.Close()
	})
	_, _ = io.Copy(client, server)
	_ = client.Close()
	toServer.Wait()
}

// oneByOne reads no more than is asked for, so that what follows the password is left
// for the server.
type oneByOne struct{ io.Reader }

func (r oneByOne) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), 1)]) }
