package hostile_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/headgate/headgate/internal/testkit/gateway"
)

func TestCallers_Random(t *testing.T) {
	t.Parallel()
	s, w := newTappedStack(t, "", "")
	w.answers["db.example"] = [][]netip.Addr{{netip.MustParseAddr("10.0.0.1")}}
	r := random("callers", 0)
	for n := range *callersFlag {
		e := oddEvent(r)
		begin := time.Now()
		out, err := s.handler.Handle(t.Context(), e)
		took := time.Since(begin)
		sent, encodeErr := json.Marshal(out)
		if err != nil || encodeErr != nil {
			t.Fatalf("request %d: %v, %v", n, err, encodeErr)
		}
		total.answer(out.StatusCode, len(sent), took, false)
		total.outcome(out.StatusCode, nil)
		describe := func() string { return fmt.Sprintf("request %d: %.20q %.100q %q", n, e.HTTPMethod, e.Path, cut(e.Body)) }
		if out.StatusCode >= 500 {
			s.fail("5xx", "%s: %d %s", describe(), out.StatusCode, cut(out.Body))
		}
		if took > maxTime {
			s.fail("time", "%s: took %v", describe(), took)
		}
		if limit := 256 << 10; len(sent) > limit {
			s.fail("size", "%s: an answer of %d bytes", describe(), len(sent))
		}
		var body any
		if err := json.Unmarshal([]byte(out.Body), &body); err != nil {
			s.fail("body", "%s: %v: %s", describe(), err, cut(out.Body))
		}
		if out.StatusCode >= 400 {
			if text, odd := oddText(body); odd {
				s.fail("unprintable", "%s: %q in %s", describe(), text, cut(out.Body))
			}
		}
		for name, v := range out.Headers {
			if strings.ContainsFunc(v, unicode.IsControl) {
				s.fail("header", "%s: header %s is %q", describe(), name, v)
			}
		}
	}
	if dialled := w.taken(); len(dialled) > 0 {
		t.Errorf("dialled %v", dialled)
	}
}

// oddText returns the first text in a JSON value, names included, that has unprintable
// characters.
func oddText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		_, odd := unprintable(v)
		return v, odd
	case []any:
		for _, item := range v {
			if text, odd := oddText(item); odd {
				return text, true
			}
		}
	case map[string]any:
		for name, item := range v {
			if _, odd := unprintable(name); odd {
				return name, true
			}
			if text, odd := oddText(item); odd {
				return text, true
			}
		}
	}
	return "", false
}

// lineService is a service in an allowed network that executes what it reads line by
// line, as memcached does.
type lineService struct {
	port  int
	mu    sync.Mutex
	heard [][]byte // by connection
}

// newLineService returns a service that sends greeting at once, and answer to the
// first bytes.
func newLineService(t *testing.T, greeting, answer string) *lineService {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &lineService{port: listener.Addr().(*net.TCPAddr).Port}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			work.Go(func() { s.serve(conn, greeting, answer) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close() // ends accept
		work.Wait()
	})
	return s
}

func (s *lineService) serve(conn net.Conn, greeting, answer string) {
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, greeting) // what matters is what is heard
	first := make([]byte, 1<<16)
	n, err := conn.Read(first)
	heard := first[:n]
	if err == nil {
		_, _ = io.WriteString(conn, answer)
		_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		more, _ := io.ReadAll(conn)
		heard = append(heard, more...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, heard)
}

func (s *lineService) taken() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	heard := s.heard
	s.heard = nil
	return heard
}

// TestCallers_LineService sends hostile names to a service that is not Postgres. It
// must hear nothing but the request for TLS, or one start-up message with names
// without control characters.
func TestCallers_LineService(t *testing.T) {
	t.Parallel()
	for name, service := range map[string]struct{ greeting, answer string }{
		"memcached": {"", "ERROR\r\n"}, "SMTP": {"220 mail.example ESMTP\r\n", "500 what\r\n"}, "redis": {"", "-ERR unknown command\r\n"},
		"one that has no TLS": {"", "N"}, "silent": {"", ""}, "HTTP": {"", "HTTP/1.1 400 Bad Request\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, line := newStack(t, loopback, ""), newLineService(t, service.greeting, service.answer)
			r := random("line "+name, 0)
			names := append(hostileNames(r, "/tmp/x", 90), "x\r\nflush_all\r\nx", "x\nset k 0 0 1\n1\n", "\r\nEVAL 1 0\r\n", "x\r\n\r\nGET / HTTP/1.1\r\n")
			for i, odd := range names {
				payload := source("127.0.0.1", line.port)
				payload["ssl"] = i%3 == 0
				payload[[]string{"database", "username", "password"}[i%3]] = odd + "\r\nflush_all\r\n"[:13*(i%2)]
				payload["replication_slots"] = []any{map[string]any{"publication_name": fit("p" + odd), "slot_name": "slot"}}
				s.dryRun(payload)
				total.add(namesTried, 1)
			}
			heard := line.taken()
			if len(heard) == 0 {
				t.Error("nothing was dialled")
			}
			for _, b := range heard {
				if problem := wrongStart(b); problem != "" {
					total.add(leaksFound, 1)
					s.fail("heard", "%s: %q", problem, b)
				}
			}
		})
	}
}

// wrongStart returns what is wrong with the first bytes of a client, or nothing: they
// are a request for TLS, or one start-up message whose names are printable, after a
// rejected request for TLS too.
func wrongStart(b []byte) string {
	sslRequest := []byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f}
	terminate := []byte{'X', 0, 0, 0, 4} // to what could be an error of Postgres
	if b = bytes.TrimSuffix(bytes.TrimPrefix(b, sslRequest), terminate); len(b) == 0 {
		return ""
	}
	const header = 8
	if len(b) < header || int(binary.BigEndian.Uint32(b)) != len(b) {
		return "not one start-up message"
	}
	if version := binary.BigEndian.Uint32(b[4:]); version != 3<<16 {
		return fmt.Sprintf("version %#x", version)
	}
	parts := strings.Split(strings.TrimSuffix(string(b[header:]), "\x00\x00"), "\x00")
	for i := 0; i+1 < len(parts); i += 2 {
		if !slices.Contains([]string{"user", "database", "client_encoding", "application_name", "replication", "options"}, parts[i]) {
			return "parameter " + parts[i]
		}
		if !utf8.ValidString(parts[i+1]) || strings.ContainsFunc(parts[i+1], func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return "control characters in " + parts[i]
		}
		if len(parts[i+1]) > maxNameBytes {
			return "a long " + parts[i]
		}
	}
	return ""
}

// TestCallers_Names has control characters in every field that is a name: they are
// refused before anything is dialled.
func TestCallers_Names(t *testing.T) {
	t.Parallel()
	s, w := newTappedStack(t, liftable, "")
	w.answers[""] = [][]netip.Addr{{netip.MustParseAddr("10.0.0.1")}}
	for c := rune(0); c <= 0x7f; c++ {
		if c >= ' ' && c != 0x7f {
			continue
		}
		for _, field := range []string{"database", "username", "primary.database", "primary.username", "publication_name", "url"} {
			got := s.dryRun(withControl(field, "a"+string(c)+"b", fmt.Sprintf("a%%%02xb", c)))
			dialled := w.taken()
			if total.add(namesTried, 1); got.status != 422 || got.Code != "invalid_payload" || len(dialled) > 0 {
				t.Errorf("%s with %U: %d %s, dialled %v", field, c, got.status, got.Code, dialled)
			}
		}
	}
	if got := s.send("PATCH", gateway.Collection+"/orders", map[string]any{"username": "a\nb"}); got.status != 404 && got.status != 422 {
		t.Errorf("update: %d", got.status)
	}
}

// withControl returns a create with one name replaced, or a part of its URL.
func withControl(field, name, escaped string) map[string]any {
	p := payloads("db.example")[1]
	switch field {
	case "publication_name":
		p["replication_slots"] = []any{map[string]any{"publication_name": name, "slot_name": "slot"}}
	case "url":
		p = payloads("db.example")[2]
		p["url"] = "postgres://" + escaped + ":secret@db.example/" + escaped
	case "primary.database", "primary.username":
		p["primary"].(map[string]any)[strings.TrimPrefix(field, "primary.")] = name
	default:
		p[field] = name
	}
	return p
}
