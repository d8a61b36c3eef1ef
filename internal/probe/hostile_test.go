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

// maxAllocated bounds what one probe and the stand-in may allocate, in bytes.
const maxAllocated = 64 << 20

// TestProbe_HostileServer is not parallel: it measures the memory and the goroutines
// of the process.
func TestProbe_HostileServer(t *testing.T) {
	for _, c := range []struct {
		name  string
		serve func(net.Conn)
		tls   *tls.Config // of the stand-in
		ssl   bool        // of the source's endpoint
		want  check.Code
	}{
		{name: "accepts and is silent", serve: discardInput, want: check.ConnectionTimeout},
		{name: "accepts and is silent, TLS requested", serve: discardInput, ssl: true, want: check.ConnectionTimeout},
		{name: "closes at once", serve: func(net.Conn) {}, want: check.ConnectionLost},
		{name: "closes at once, TLS requested", serve: func(net.Conn) {}, ssl: true, want: check.ConnectionLost},
		{name: "resets", serve: reset, want: check.ConnectionLost},
		{name: "closes after the TLS request", serve: afterFirstRead(""), ssl: true, want: check.ConnectionLost},
		{name: "agrees to TLS and closes", serve: afterFirstRead("S"), ssl: true, want: check.ConnectionLost},
		{name: "agrees to TLS and is silent", serve: sendAndWait("S"), ssl: true, want: check.ConnectionLost},
		{name: "agrees to TLS and sends garbage", serve: sendAndWait("Sgarbage that is no TLS record"), ssl: true, want: check.NotPostgres},
		{name: "silent inside TLS", serve: discardInput, tls: serverTLS(t), ssl: true, want: check.ConnectionLost},
		{name: "speaks HTTP", serve: sendAndWait("HTTP/1.1 400 Bad Request\r\n\r\n"), want: check.NotPostgres},
		{name: "speaks HTTP, TLS requested", serve: sendAndWait("HTTP/1.1 400 Bad Request\r\n\r\n"), ssl: true, want: check.NotPostgres},
		{name: "speaks HTTP inside TLS", serve: sendAndWait("HTTP/1.1 400 Bad Request\r\n\r\n"), tls: serverTLS(t), ssl: true, want: check.NotPostgres},
		{name: "speaks SSH", serve: sendAndWait("SSH-2.0-OpenSSH_9.9\r\n"), ssl: true, want: check.NotPostgres},
		{name: "floods with garbage", serve: flood([]byte("garbage")), want: check.NotPostgres},
		{name: "floods with garbage, TLS requested", serve: flood([]byte("garbage")), ssl: true, want: check.NotPostgres},
		{name: "floods with zeros", serve: flood(make([]byte, 64)), want: check.NotPostgres},
		{name: "floods with notices", serve: flood(encode(&pgproto3.NoticeResponse{Severity: "NOTICE", Message: strings.Repeat("x", 1000)})), want: check.ConnectionLost},
		{name: "floods with small notices", serve: flood(encode(&pgproto3.NoticeResponse{})), want: check.ConnectionLost},
		{name: "floods with one parameter", serve: flood(encode(&pgproto3.ParameterStatus{Name: "a", Value: "b"})), want: check.ConnectionLost},
		{name: "floods with parameters", serve: floodParameters, want: check.ConnectionLost},
		{name: "floods inside TLS", serve: flood(encode(&pgproto3.NoticeResponse{})), tls: serverTLS(t), ssl: true, want: check.ConnectionLost},
		{name: "sends a huge length", serve: sendAndWait("R\x7f\xff\xff\xff"), want: check.NotPostgres},
		{name: "sends a negative length", serve: sendAndWait("R\xff\xff\xff\xff"), want: check.NotPostgres},
		{name: "sends a huge error", serve: sendAndWait("E\x7f\xff\xff\xff"), want: check.NotPostgres},
		{name: "requests too many iterations", serve: requestingSCRAM(",i=1000001"), want: check.AuthenticationFailed},
		{name: "hides the number of iterations", serve: requestingSCRAM(",i=" + strings.Repeat("0", 100) + "9000000"), want: check.AuthenticationFailed},
		{name: "requests Kerberos", serve: requesting(&pgproto3.AuthenticationGSS{}), want: check.ConnectionNotPermitted},
		{name: "is silent after requesting a password", serve: requesting(&pgproto3.AuthenticationMD5Password{}), want: check.ConnectionLost},
		{name: "is silent after authentication", serve: requesting(&pgproto3.AuthenticationOk{}), want: check.ConnectionLost},
		{name: "is silent during the query", serve: afterQuery(func(b *backend) { discardInput(b.conn) }), want: check.ConnectionLost},
		{name: "closes during the query", serve: afterQuery(func(*backend) {}), want: check.ConnectionLost},
		{name: "ends the session during the query", serve: afterQuery(func(b *backend) {
			_ = b.send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "57P01", Message: "terminating connection"})
		}), want: check.ConnectionLost},
		{name: "sends garbage during the query", serve: afterQuery(func(b *backend) { sendAndWait("garbage")(b.conn) }), want: check.ConnectionLost},
		{name: "sends a huge length during the query", serve: afterQuery(func(b *backend) { sendAndWait("D\x7f\xff\xff\xff")(b.conn) }), want: check.ConnectionLost},
		{name: "ends a result twice", serve: afterQuery(func(b *backend) {
			_ = b.send(&pgproto3.RowDescription{}, &pgproto3.ReadyForQuery{TxStatus: 'T'}, &pgproto3.ReadyForQuery{TxStatus: 'T'})
			discardInput(b.conn)
		}), want: check.ConnectionLost},
		{name: "sends rows forever", serve: afterQuery(func(b *backend) {
			flood(encode(&pgproto3.DataRow{Values: [][]byte{[]byte("{}")}}))(b.conn)
		}), want: check.ConnectionLost},
		{name: "sends notices forever during the query", serve: afterQuery(func(b *backend) { flood(encode(&pgproto3.NoticeResponse{}))(b.conn) }), want: check.ConnectionLost},
		{name: "answers with nothing", serve: answeringQueries("16.1", "null"), want: check.NotPostgres},
		{name: "answers with an empty object", serve: answeringQueries("16.1", "{}"), want: check.NotPostgres},
		{name: "answers with invalid JSON", serve: answeringQueries("16.1", "{"), want: check.NotPostgres},
		{name: "answers with names without parts", serve: answeringQueries("16.1", tablesAnswer(`[{"name":[]},{"name":[]}]`)), want: check.NotChecked},
		{name: "answers with more names than were asked for", serve: answeringQueries("16.1", tablesAnswer("["+strings.Repeat(`{"name":["a","b"]},`, 100)+`{"name":["a","b"]}]`)), want: check.NotChecked},
		{name: "answers with a huge name", serve: answeringQueries("16.1", tablesAnswer(`[{"name":["a","`+strings.Repeat("b", 10_000)+`"]}]`)), want: check.NotChecked},
		{name: "answers with more standbys than were asked for", serve: answeringQueries("16.1", slotsAnswer("["+strings.Repeat(`{"name":"a"},`, 100)+`{"name":"a"}]`, "2")), want: check.NotChecked},
		{name: "answers with a slot's name that is too long", serve: answeringQueries("16.1", slotsAnswer("null", "1000000000000000000")), want: check.NotChecked},
		{name: "answers with fewer names than it counts", serve: answeringQueries("16.1", tablesAnswer(`[{"name":["a","b"]}]`)), want: check.PublicationOperationsMissing},
	} {
		t.Run(c.name, func(t *testing.T) {
			front := (&standIn{serve: c.serve, tls: c.tls}).start(t)
			s := newTargetSource(t, front.port)
			s.target.Endpoint.SSL = c.ssl
			s.limit = 500 * time.Millisecond
			report := probeWithinBounds(t, s, front)
			if _, ok := entry(report, c.want); !ok {
				t.Errorf("no %s in%s", c.want, describe(report))
			}
			if size := len(describe(report)); size > 64<<10 {
				t.Errorf("the report has %d bytes", size)
			}
			checkNoPassword(t, report)
		})
	}
}

// probeWithinBounds probes s, whose server is front, and checks the memory, the time
// and the goroutines that it takes.
func probeWithinBounds(t *testing.T, s *source, front *standIn) check.Report {
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
	if n := after.TotalAlloc - before.TotalAlloc; n > maxAllocated {
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

func TestProbe_LostSession(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		then func(*backend)
		says string
	}{
		{func(*backend) {}, "the server closed the connection"},
		{func(b *backend) {
			_ = b.send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "57P01", Message: "terminating connection"})
		}, "the server ended the session with SQLSTATE 57P01: terminating connection"},
	} {
		report := servedBy(afterQuery(c.then))(t).probe()
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

// afterFirstRead sends text after the client has sent something, and closes.
func afterFirstRead(text string) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := conn.Read(make([]byte, 1024)); err == nil {
			_, _ = io.WriteString(conn, text)
		}
	}
}

// flood sends a message again and again until the client closes.
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

// floodParameters sends parameters of different names until the client closes.
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

// requesting answers the start-up message with one message, and is then silent.
func requesting(message pgproto3.BackendMessage) func(net.Conn) {
	return func(conn net.Conn) {
		if b, _, err := acceptStartup(conn); err == nil && b.send(message) == nil {
			discardInput(conn)
		}
	}
}

// afterQuery completes the login, reads the first query, and calls then.
func afterQuery(then func(*backend)) func(net.Conn) {
	return func(conn net.Conn) {
		b, _, err := acceptStartup(conn)
		if err != nil || b.acceptLogin("16.1") != nil {
			return
		}
		if err := b.receiveStatement(); err == nil {
			then(b)
		}
	}
}

// tablesAnswer returns an answer with these unreadable tables, as JSON.
func tablesAnswer(tables string) string {
	return fmt.Sprintf(`{"server":{"version":160001,"database":"d","role":"r","backend_type":"walsender"},"settings":{"wal_level":{"value":"logical"}},
"publication":{"found":{"age":10}},"slot":{"found":null},"tables":{"count":9,"unreadable":%s,"totals":{"unreadable":1000}}}`, tables)
}

// slotsAnswer returns an answer with these standbys and this free suffix, as JSON.
func slotsAnswer(standbys, suffix string) string {
	return fmt.Sprintf(`{"server":{"version":160001,"database":"d","role":"r","backend_type":"walsender"},"settings":{"wal_level":{"value":"logical"}},
"publication":{"found":null},"slot":{"found":null},"replication slots":{"in_use":1,"free_suffix":%s,"standbys":%s}}`, suffix, standbys)
}

func TestProbe_WebServer(t *testing.T) {
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
			s := newTargetSource(t, port)
			s.target.Endpoint.SSL = ssl
			report := s.probe()
			// A server that waits for the rest of a line sends nothing; one that waits for
			// TLS closes.
			if c, _ := report.FirstFailure(); c.Name != check.Connection {
				t.Errorf("%s, ssl %v: %s", address.Scheme, ssl, describe(report))
			}
		}
	}
}

func TestProbe_Timeout(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	defer all.Wait()
	for code, serve := range map[check.Code]func(net.Conn){
		check.ConnectionTimeout: discardInput,
		check.ConnectionLost:    afterQuery(func(b *backend) { discardInput(b.conn) }),
	} {
		s := servedBy(serve)(t)
		s.limit = 0
		all.Go(func() {
			begin := time.Now()
			report := s.probe()
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("%s took %v", code, took)
			}
			if _, ok := entry(report, code); !ok {
				t.Errorf("no %s in%s", code, describe(report))
			}
		})
	}
}

func TestSafety_CleartextWithoutTLS(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var heard bytes.Buffer
	front := (&standIn{serve: func(conn net.Conn) {
		recorded := recorder{Conn: conn, heard: func(b []byte) {
			mu.Lock()
			defer mu.Unlock()
			heard.Write(b)
		}}
		requesting(&pgproto3.AuthenticationCleartextPassword{})(recorded)
	}}).start(t)
	s := newTargetSource(t, front.port)
	s.target.Endpoint.SSL = false
	report := s.probe()
	if c, _ := report.FirstFailure(); c.Code != check.TLSRequired {
		t.Error(describe(report))
	}
	front.stop()
	if heard.Len() == 0 || bytes.Contains(heard.Bytes(), []byte(password)) {
		t.Errorf("the %d bytes received are none or contain the password", heard.Len())
	}
}

// recorder passes on to heard what is read from a connection.
type recorder struct {
	net.Conn
	heard func([]byte)
}

func (r recorder) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.heard(p[:n])
	return n, err
}

func TestProbe_EchoedPassword(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"XX000", "28P01", "28000", "53300", "57P03", "42501", "08P01", ""} {
		for name, serve := range map[string]func(net.Conn){
			"at login": func(conn net.Conn) { rejectWithPassword(conn, code) },
			"in the session": afterQuery(func(b *backend) {
				for b.send(&pgproto3.ErrorResponse{Severity: "ERROR", Code: code, Message: "no: " + password}, &pgproto3.ReadyForQuery{TxStatus: 'I'}) == nil {
					if _, err := b.Receive(); err != nil {
						return
					}
				}
			}),
		} {
			t.Run(name+" with "+code, func(t *testing.T) {
				t.Parallel()
				s := newTargetSource(t, (&standIn{serve: serve, tls: serverTLS(t)}).start(t).port)
				s.limit = 5 * time.Second
				report := s.probe()
				if _, failed := report.FirstFailure(); !failed {
					t.Errorf("no failure in%s", describe(report))
				}
				checkNoPassword(t, report)
			})
		}
	}
}

// rejectWithPassword requests the password in cleartext and repeats it in its error.
func rejectWithPassword(conn net.Conn, code string) {
	b, _, err := acceptStartup(conn)
	if err != nil || b.send(&pgproto3.AuthenticationCleartextPassword{}) != nil || b.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil {
		return
	}
	message, err := b.Receive()
	if err != nil {
		return
	}
	if given, ok := message.(*pgproto3.PasswordMessage); ok {
		_ = b.send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: code, Message: "not " + given.Password, Detail: given.Password, Hint: given.Password})
	}
}
