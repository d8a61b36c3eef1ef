package hostile_test

import (
	"crypto/tls"
	"net"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// reply is what a pretender sends at one point of a conversation.
type reply struct {
	messages [][]byte
	// pause comes before each byte; 0 sends all at once.
	pause time.Duration
	// forever repeats the messages until the client is gone.
	forever bool
	then    ending
}

// ending is what follows a reply.
type ending int

const (
	goOn ending = iota
	hang        // until the client is gone
	hangUp
)

// stage is a point of a conversation at which the server speaks.
type stage string

const (
	onAccept stage = "accept" // before the client has sent anything
	onTLS    stage = "TLS request"
	onLogin  stage = "login"
	onQuery  stage = "query"
)

// moment is one point of one conversation.
type moment struct {
	stage stage
	// sql is the statement, and number counts the statements that are not only about
	// transactions from 1.
	sql    string
	number int
}

// pretender is a server that answers as the real one does, until it does not.
type pretender struct {
	oracle *oracle
	// alter returns what to send in place of the honest messages.
	alter func(m moment, honest [][]byte) reply
	tls   *tls.Config

	port     int
	listener net.Listener
	work     sync.WaitGroup
	mu       sync.Mutex
	open     map[net.Conn]bool
	// heard is what clients sent, before TLS.
	heard []byte
	// made is whether it was asked to make a slot, and not to drop it since.
	made atomic.Bool
}

// start listens until the test ends or stop is called.
func (p *pretender) start(t *testing.T) *pretender {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.listener, p.port, p.open = listener, listener.Addr().(*net.TCPAddr).Port, map[net.Conn]bool{}
	p.work.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			p.mu.Lock()
			p.open[conn] = true
			p.mu.Unlock()
			p.work.Go(func() {
				p.serve(recorder{Conn: conn, heard: p.hear})
				_ = conn.Close()
				p.mu.Lock()
				delete(p.open, conn)
				p.mu.Unlock()
			})
		}
	})
	t.Cleanup(p.stop)
	return p
}

func (p *pretender) stop() {
	_ = p.listener.Close() // again, if it was stopped before
	p.mu.Lock()
	for conn := range p.open {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.work.Wait()
}

// recorder passes on what is read from a connection.
type recorder struct {
	net.Conn
	heard func([]byte)
}

func (r recorder) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	r.heard(b[:n])
	return n, err
}

func (p *pretender) hear(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = append(p.heard, b...)
}

// serve holds one conversation.
func (p *pretender) serve(conn net.Conn) {
	if !p.say(conn, moment{stage: onAccept}, nil) {
		return
	}
	c, err := awaitStartup(conn, p.answerTLS)
	if err != nil || c.startup["replication"] != "" && c.startup["replication"] != "database" {
		return
	}
	if !p.say(c, moment{stage: onLogin}, p.oracle.login(c.startup)) {
		return
	}
	number := 0
	for {
		sql, err := c.statement()
		if err != nil {
			return
		}
		honest, err := p.oracle.answer(c.startup, p.made.Load(), sql)
		if err != nil {
			return
		}
		switch {
		case makesSlot(sql):
			p.made.Store(true)
		case dropsSlot(sql):
			p.made.Store(false)
		}
		m := moment{stage: onQuery, sql: sql}
		if !ofTransaction(sql) {
			number++
			m.number = number
		}
		if !p.say(c, m, honest) {
			return
		}
	}
}

func (p *pretender) answerTLS(conn net.Conn) net.Conn {
	honest := [][]byte{[]byte("N")}
	if p.tls != nil {
		honest = [][]byte{[]byte("S")}
	}
	if !p.say(conn, moment{stage: onTLS}, honest) {
		return nil
	}
	if p.tls == nil {
		return conn
	}
	return tls.Server(conn, p.tls)
}

// say sends what alter makes of the honest messages, and reports whether the
// conversation goes on.
func (p *pretender) say(conn net.Conn, m moment, honest [][]byte) bool {
	r := reply{messages: honest}
	if p.alter != nil {
		r = p.alter(m, honest)
	}
	total.add(messagesSent, len(r.messages))
	if !r.send(conn) {
		return false
	}
	if r.then == hang {
		_, _ = conn.Read(make([]byte, 1<<16))
		for err := error(nil); err == nil; {
			_, err = conn.Read(make([]byte, 1<<16))
		}
	}
	return r.then == goOn
}

func (r reply) send(conn net.Conn) bool {
	for {
		for _, m := range r.messages {
			if r.pause == 0 {
				if _, err := conn.Write(m); err != nil {
					return false
				}
				continue
			}
			for i := range m {
				timer := time.NewTimer(r.pause)
				<-timer.C
				if _, err := conn.Write(m[i : i+1]); err != nil {
					return false
				}
			}
		}
		if !r.forever || len(r.messages) == 0 {
			return true
		}
	}
}

// serverTLS returns a server's configuration with a self-signed certificate.
func serverTLS() *tls.Config {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	return &tls.Config{Certificates: server.TLS.Certificates}
}
