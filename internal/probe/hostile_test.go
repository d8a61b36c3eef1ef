package probe_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/headgate/headgate/internal/check"
)

// mostAllocated bounds what one probe of a hostile target may allocate in all,
// the stand-in's share included.
const mostAllocated = 64 << 20

// TestHostileTargetsEndInTheirCode is not parallel, since it measures what the
// process allocates and which goroutines it has.
func TestHostileTargetsEndInTheirCode(t *testing.T) {
	for _, c := range []struct {
		name  string
		serve func(net.Conn)
		tls   *tls.Config // offered by the stand-in
		ssl   bool        // asked for by the source
		want  check.Code
	}{
		{name: "accepts and is silent", serve: untilClosed, want: check.ConnectionTimeout},
		{name: "accepts and is silent, TLS asked for", serve: untilClosed, ssl: true, want: check.ConnectionTimeout},
		{name: "closes at once", serve: func(net.Conn) {}, want: check.ConnectionLost},
		{name: "closes at once, TLS asked for", serve: func(net.Conn) {}, ssl: true, want: check.ConnectionLost},
		{name: "resets", serve: reset, want: check.ConnectionLost},
		{name: "closes after the request for TLS", serve: afterFirstRead(""), ssl: true, want: check.ConnectionLost},
		{name: "agrees to TLS and closes", serve: afterFirstRead("S"), ssl: true, want: check.ConnectionLost},
		{name: "agrees to TLS and is silent", serve: sayAndWait("S"), ssl: true, want: check.ConnectionLost},
		{name: "agrees to TLS and sends garbage", serve: sayAndWait("Sgarbage that is no record of TLS"), ssl: true, want: check.NotPostgres},
		{name: "silent inside TLS", serve: untilClosed, tls: serverTLS(t), ssl: true, want: check.ConnectionLost},
		{name: "speaks HTTP", serve: sayAndWait("HTTP/1.1 400 Bad Request\r\n\r\n"), want: check.NotPostgres},
		{name: "speaks HTTP, TLS asked for", serve: sayAndWait("HTTP/1.1 400 Bad Request\r\n\r\n"), ssl: true, want: check.NotPostgres},
		{name: "speaks HTTP inside TLS", serve: sayAndWait("HTTP/1.1 400 Bad Request\r\n\r\n"), tls: serverTLS(t), ssl: true, want: check.NotPostgres},
		{name: "speaks SSH", serve: sayAndWait("SSH-2.0-OpenSSH_9.9\r\n"), ssl: true, want: check.NotPostgres},
		{name: "floods with garbage", serve: flood([]byte("garbage")), want: check.NotPostgres},
		{name: "floods with garbage, TLS asked for", serve: flood([]byte("garbage")), ssl: true, want: check.NotPostgres},
		{name: "floods with zeros", serve: flood(make([]byte, 64)), want: check.NotPostgres},
		{name: "floods with notices", serve: flood(encode(&pgproto3.NoticeResponse{Severity: "NOTICE", Message: strings.Repeat("x", 1000)})), want: check.ConnectionLost},
		{name: "floods with small notices", serve: flood(encode(&pgproto3.NoticeResponse{})), want: check.ConnectionLost},
		{name: "floods with one parameter", serve: flood(encode(&pgproto3.ParameterStatus{Name: "a", Value: "b"})), want: check.ConnectionLost},
		{name: "floods with parameters", serve: floodParameters, want: check.ConnectionLost},
		{name: "floods inside TLS", serve: flood(encode(&pgproto3.NoticeResponse{})), tls: serverTLS(t), ssl: true, want: check.ConnectionLost},
		{name: "sends a huge length", serve: sayAndWait("R\x7f\xff\xff\xff"), want: check.NotPostgres},
		{name: "sends a negative length", serve: sayAndWait("R\xff\xff\xff\xff"), want: check.NotPostgres},
		{name: "sends a huge error", serve: sayAndWait("E\x7f\xff\xff\xff"), want: check.NotPostgres},
		{name: "asks for too many iterations", serve: challenging(",i=1000001"), want: check.AuthenticationFailed},
		{name: "hides the number of iterations", serve: challenging(",i=" + strings.Repeat("0", 100) + "9000000"), want: check.AuthenticationFailed},
		{name: "asks for Kerberos", serve: asking(&pgproto3.AuthenticationGSS{}), want: check.ConnectionNotPermitted},
		{name: "is silent after it asked for a password", serve: asking(&pgproto3.AuthenticationMD5Password{}), want: check.ConnectionLost},
		{name: "is silent after authentication", serve: asking(&pgproto3.AuthenticationOk{}), want: check.ConnectionLost},
		{name: "is silent during the query", serve: queried(func(b *backend) { untilClosed(b.conn) }), want: check.ConnectionLost},
		{name: "closes during the query", serve: queried(func(*backend) {}), want: check.ConnectionLost},
		{name: "ends the session during the query", serve: queried(func(b *backend) {
			_ = b.say(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "57P01", Message: "terminating connection"})
		}), want: check.ConnectionLost},
		{name: "sends garbage during the query", serve: queried(func(b *backend) { sayAndWait("garbage")(b.conn) }), want: check.ConnectionLost},
		{name: "sends a huge length during the query", serve: queried(func(b *backend) { sayAndWait("D\x7f\xff\xff\xff")(b.conn) }), want: check.ConnectionLost},
		{name: "sends rows for ever", serve: queried(func(b *backend) {
			flood(encode(&pgproto3.DataRow{Values: [][]byte{[]byte("{}")}}))(b.conn)
		}), want: check.ConnectionLost},
		{name: "sends notices for ever during the query", serve: queried(func(b *backend) { flood(encode(&pgproto3.NoticeResponse{}))(b.conn) }), want: check.ConnectionLost},
		{name: "answers with nothing", serve: answering("16.1", "null"), want: check.ServerError},
		{name: "answers with an empty object", serve: answering("16.1", "{}"), want: check.ServerError},
		{name: "answers with what is no JSON", serve: answering("16.1", "{"), want: check.ServerError},
		{name: "answers with names without parts", serve: answering("16.1", lying(`[[],[],[],[]]`)), want: check.ServerError},
		{name: "answers with more names than were asked for", serve: answering("16.1", lying("["+strings.Repeat(`["a","b"],`, 100)+`["a","b"]]`)), want: check.ServerError},
		{name: "answers with a huge name", serve: answering("16.1", lying(`[["a","`+strings.Repeat("b", 100000)+`"]]`)), want: check.ServerError},
		{name: "answers with fewer names than it counts", serve: answering("16.1", lying(`[["a","b"]]`)), want: check.PublicationOperationsMissing},
	} {
		t.Run(c.name, func(t *testing.T) {
			front := (&standIn{serve: c.serve, tls: c.tls}).start(t)
			s := at(t, front.port)
			s.target.Endpoint.SSL = c.ssl
			s.limit = 500 * time.Millisecond
			report := bounded(t, s, front)
			if _, ok := entry(report, c.want); !ok {
				t.Errorf("there is no %s in%s", c.want, describe(report))
			}
			if size := len(describe(report)); size > 64<<10 {
				t.Errorf("the report has %d bytes", size)
			}
			holdsNoPassword(t, report)
		})
	}
}

// bounded probes s, whose server front plays, within bounds of memory, time and
// goroutines.
func bounded(t *testing.T, s *source, front *standIn) check.Report {
	t.Helper()
	var before, after runtime.MemStats
	goroutines := runtime.NumGoroutine() - 1 // the stand-in's own
	runtime.ReadMemStats(&before)
	begin := time.Now()
	report := s.probe()
	if took := time.Since(begin); took > s.limit+2*time.Second {
		t.Errorf("it took %v", took)
	}
	front.stop()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > mostAllocated {
		t.Errorf("%d MiB were allocated", n>>20)
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Errorf("%d goroutines are left of\n%s", runtime.NumGoroutine()-goroutines, stacks[:runtime.Stack(stacks, true)])
			break
		}
	}
	return report
}

func TestASessionThatEndsIsToldAsItEnded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		then func(*backend)
		says string
	}{
		{func(*backend) {}, "the server closed the connection"},
		{func(b *backend) {
			_ = b.say(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "57P01", Message: "terminating connection"})
		}, "the server ended the session with SQLSTATE 57P01: terminating connection"},
	} {
		report := facing(queried(c.then))(t).probe()
		if found, ok := entry(report, check.ConnectionLost); !ok || found.Message != c.says {
			t.Errorf("%q is not in%s", c.says, describe(report))
		}
	}
}

func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

// afterFirstRead says text once the client has said something, and closes.
func afterFirstRead(text string) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := conn.Read(make([]byte, 1024)); err == nil {
			_, _ = io.WriteString(conn, text)
		}
	}
}

// flood repeats a message until the client is gone.
func flood(message []byte) func(net.Conn) {
	block := bytes.Repeat(message, 1+(64<<10)/len(message))
	return func(conn net.Conn) {
		for {
			if _, err := conn.Write(block); err != nil {
				return
			}
		}
	}
}

// floodParameters tells of settings that all have other names.
func floodParameters(conn net.Conn) {
	block := make([]byte, 0, 64<<10)
	for i := 0; ; i++ {
		block = append(block, 'S', 0, 0, 0, 0)
		name := strconv.AppendInt(nil, int64(i), 36)
		binary.BigEndian.PutUint32(block[len(block)-4:], uint32(4+len(name)+2))
		block = append(append(block, name...), 0, 0)
		if len(block) < 60<<10 {
			continue
		}
		if _, err := conn.Write(block); err != nil {
			return
		}
		block = block[:0]
	}
}

func encode(message pgproto3.BackendMessage) []byte {
	b, err := message.Encode(nil)
	if err != nil {
		panic(err)
	}
	return b
}

// asking sends one message in answer to the start, and then nothing.
func asking(message pgproto3.BackendMessage) func(net.Conn) {
	return func(conn net.Conn) {
		if b, _, err := started(conn); err == nil && b.say(message) == nil {
			untilClosed(conn)
		}
	}
}

// queried lets the client in and takes its first query; then goes on.
func queried(then func(*backend)) func(net.Conn) {
	return func(conn net.Conn) {
		b, _, err := started(conn)
		if err != nil || b.letIn("16.1") != nil {
			return
		}
		if _, err := b.Receive(); err == nil {
			then(b)
		}
	}
}

// lying is an answer with these names of tables.
func lying(names string) string {
	return fmt.Sprintf(`{"server":{"version":160001,"database":"d","role":"r","backend_type":"walsender","settings":{"wal_level":"logical"}},
"publication":{"found":{"age":10}},"slot":{"found":null},
"tables":{"count":9,"unreadable":%s,"no_identity":%s,"totals":{"unreadable":1000,"no_identity":1000}}}`, names, names)
}

func TestARealWebServerIsNoPostgres(t *testing.T) {
	t.Parallel()
	for _, start := range []func(http.Handler) *httptest.Server{httptest.NewServer, httptest.NewTLSServer} {
		web := start(http.NotFoundHandler())
		t.Cleanup(web.Close)
		address, err := url.Parse(web.URL)
		if err != nil {
			t.Fatal(err)
		}
		port, err := strconv.Atoi(address.Port())
		if err != nil {
			t.Fatal(err)
		}
		for _, ssl := range []bool{true, false} {
			s := at(t, port)
			s.target.Endpoint.SSL = ssl
			report := s.probe()
			// A server that waits for the rest of the line never says a word, and one
			// that waits for TLS closes.
			if c, _ := report.FirstFailure(); c.Name != check.Connection {
				t.Errorf("%s, ssl %v: %s", address.Scheme, ssl, describe(report))
			}
		}
	}
}

func TestTheProbesOwnLimitOfTimeIsKept(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	defer all.Wait()
	for code, serve := range map[check.Code]func(net.Conn){
		check.ConnectionTimeout: untilClosed,
		check.ConnectionLost:    queried(func(b *backend) { untilClosed(b.conn) }),
	} {
		s := facing(serve)(t)
		s.limit = 0
		all.Go(func() {
			begin := time.Now()
			report := s.probe()
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("%s took %v", code, took)
			}
			if _, ok := entry(report, code); !ok {
				t.Errorf("there is no %s in%s", code, describe(report))
			}
		})
	}
}

// TestThePasswordIsNeverSentInClear records all that a server is sent that asks
// for the password in cleartext.
func TestThePasswordIsNeverSentInClear(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var heard bytes.Buffer
	front := (&standIn{serve: func(conn net.Conn) {
		recorded := recorder{Conn: conn, heard: func(b []byte) {
			mu.Lock()
			defer mu.Unlock()
			heard.Write(b)
		}}
		asking(&pgproto3.AuthenticationCleartextPassword{})(recorded)
	}}).start(t)
	s := at(t, front.port)
	s.target.Endpoint.SSL = false
	report := s.probe()
	if c, _ := report.FirstFailure(); c.Code != check.TLSRequired {
		t.Error(describe(report))
	}
	front.stop()
	if heard.Len() == 0 || bytes.Contains(heard.Bytes(), []byte(password)) {
		t.Errorf("of %d bytes heard the password is a part", heard.Len())
	}
}

// recorder hears what is read from a connection.
type recorder struct {
	net.Conn
	heard func([]byte)
}

func (r recorder) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.heard(p[:n])
	return n, err
}

func TestAServerThatEchoesThePasswordIsNotQuoted(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"XX000", "28P01", "28000", "53300", "57P03", "42501", "08P01", ""} {
		for name, serve := range map[string]func(net.Conn){
			"at login": func(conn net.Conn) { refuseWithPassword(conn, code) },
			"in the session": queried(func(b *backend) {
				for b.say(&pgproto3.ErrorResponse{Severity: "ERROR", Code: code, Message: "no: " + password}, &pgproto3.ReadyForQuery{TxStatus: 'I'}) == nil {
					if _, err := b.Receive(); err != nil {
						return
					}
				}
			}),
		} {
			t.Run(name+" with "+code, func(t *testing.T) {
				t.Parallel()
				s := at(t, (&standIn{serve: serve, tls: serverTLS(t)}).start(t).port)
				s.limit = 5 * time.Second
				report := s.probe()
				if _, failed := report.FirstFailure(); !failed {
					t.Errorf("there is no failure in%s", describe(report))
				}
				holdsNoPassword(t, report)
			})
		}
	}
}

// refuseWithPassword asks for the password and refuses it, repeating it.
func refuseWithPassword(conn net.Conn, code string) {
	b, _, err := started(conn)
	if err != nil || b.say(&pgproto3.AuthenticationCleartextPassword{}) != nil || b.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil {
		return
	}
	message, err := b.Receive()
	if err != nil {
		return
	}
	if given, ok := message.(*pgproto3.PasswordMessage); ok {
		_ = b.say(&pgproto3.ErrorResponse{Severity: "FATAL", Code: code, Message: "not " + given.Password, Detail: given.Password, Hint: given.Password})
	}
}
