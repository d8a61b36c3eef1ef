package probe_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// standIn is a server that misbehaves as no real one can be made to.
type standIn struct {
	// serve handles one connection, which is closed afterwards.
	serve func(net.Conn)
	// tls makes the server accept TLS; serve then gets the decrypted connection.
	tls *tls.Config

	port     int
	accepted atomic.Int64
	mu       sync.Mutex
	open     map[net.Conn]bool
	wait     sync.WaitGroup
	listener net.Listener
}

// start listens until stop is called or the test ends.
func (s *standIn) start(t *testing.T) *standIn {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.listener, s.port, s.open = l, l.Addr().(*net.TCPAddr).Port, map[net.Conn]bool{}
	s.wait.Go(s.accept)
	t.Cleanup(s.stop)
	return s
}

func (s *standIn) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.accepted.Add(1)
		s.mu.Lock()
		s.open[conn] = true
		s.mu.Unlock()
		s.wait.Go(func() { s.handle(conn) })
	}
}

func (s *standIn) handle(raw net.Conn) {
	defer func() { _ = raw.Close() }()
	conn := raw
	if s.tls != nil {
		if _, err := io.ReadFull(raw, make([]byte, 8)); err != nil {
			return
		}
		if _, err := raw.Write([]byte("S")); err != nil {
			return
		}
		conn = tls.Server(raw, s.tls)
	}
	s.serve(conn)
}

func (s *standIn) stop() {
	_ = s.listener.Close()
	s.mu.Lock()
	for conn := range s.open {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.wait.Wait()
}

// servedBy returns a setup of a source whose server is serve, without TLS.
func servedBy(serve func(net.Conn)) func(t *testing.T) *source {
	return func(t *testing.T) *source {
		t.Helper()
		s := newTargetSource(t, (&standIn{serve: serve}).start(t).port)
		s.target.Endpoint.SSL = false
		return s
	}
}

// discardInput reads until the client closes the connection, and sends nothing.
func discardInput(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

func sendAndWait(text string) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := io.WriteString(conn, text); err == nil {
			discardInput(conn)
		}
	}
}

// serverTLS returns a server's configuration with a self-signed certificate.
func serverTLS(t *testing.T) *tls.Config {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	return &tls.Config{Certificates: server.TLS.Certificates}
}

// backend is the server side of the Postgres protocol.
type backend struct {
	*pgproto3.Backend
	conn net.Conn
}

// acceptStartup reads the start-up message, after rejecting TLS. It does not answer.
func acceptStartup(conn net.Conn) (*backend, *pgproto3.StartupMessage, error) {
	b := &backend{Backend: pgproto3.NewBackend(conn, conn), conn: conn}
	for {
		message, err := b.ReceiveStartupMessage()
		if err != nil {
			return nil, nil, err
		}
		if startup, ok := message.(*pgproto3.StartupMessage); ok {
			return b, startup, nil
		}
		if _, err := conn.Write([]byte("N")); err != nil {
			return nil, nil, err
		}
	}
}

func (b *backend) send(messages ...pgproto3.BackendMessage) error {
	for _, m := range messages {
		b.Send(m)
	}
	return b.Flush()
}

// acceptLogin completes the login as a server of that version does.
func (b *backend) acceptLogin(version string) error {
	return b.send(&pgproto3.AuthenticationOk{},
		&pgproto3.ParameterStatus{Name: "server_version", Value: version},
		&pgproto3.BackendKeyData{ProcessID: 7, SecretKey: []byte{1, 2, 3, 4}},
		&pgproto3.ReadyForQuery{TxStatus: 'I'})
}

// answerQuery answers a query with one value.
func (b *backend) answerQuery(value string) error {
	return b.send(
		&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("x"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1}}},
		&pgproto3.DataRow{Values: [][]byte{[]byte(value)}},
		&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")},
		&pgproto3.ReadyForQuery{TxStatus: 'I'})
}

// receiveStatement completes the statements around that of a transaction, until it
// receives the statement itself.
func (b *backend) receiveStatement() error {
	for {
		message, err := b.Receive()
		if err != nil {
			return err
		}
		query, ok := message.(*pgproto3.Query)
		if !ok {
			continue
		}
		around := strings.HasPrefix(query.String, "BEGIN") || query.String == "COMMIT" || strings.HasPrefix(query.String, "SELECT pg_catalog.set_config(")
		if !around {
			return nil
		}
		if err := b.send(&pgproto3.CommandComplete{CommandTag: []byte("SET")}, &pgproto3.ReadyForQuery{TxStatus: 'T'}); err != nil {
			return err
		}
	}
}

// answeringQueries is a server of that version that answers every query with value.
func answeringQueries(version, value string) func(net.Conn) {
	return func(conn net.Conn) {
		b, _, err := acceptStartup(conn)
		if err != nil || b.acceptLogin(version) != nil {
			return
		}
		for {
			message, err := b.Receive()
			if err != nil {
				return
			}
			if _, ok := message.(*pgproto3.Query); ok && b.answerQuery(value) != nil {
				return
			}
		}
	}
}

// requestingSCRAM is a server that requests SCRAM, with a challenge that ends with end.
func requestingSCRAM(end string) func(net.Conn) {
	return func(conn net.Conn) {
		b, _, err := acceptStartup(conn)
		if err != nil || b.send(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}}) != nil {
			return
		}
		if err := b.SetAuthType(pgproto3.AuthTypeSASL); err != nil {
			return
		}
		message, err := b.Receive()
		if err != nil {
			return
		}
		first, ok := message.(*pgproto3.SASLInitialResponse)
		if !ok {
			return
		}
		_, nonce, _ := strings.Cut(string(first.Data), ",r=")
		challenge := "r=" + nonce + "server,s=c2FsdHNhbHQ=" + end
		if b.send(&pgproto3.AuthenticationSASLContinue{Data: []byte(challenge)}) == nil {
			discardInput(conn)
		}
	}
}
