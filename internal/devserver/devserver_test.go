package devserver_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/devserver"
)

func load(t *testing.T, vars map[string]string) (devserver.Config, error) {
	t.Helper()
	return devserver.Load(func(name string) string { return vars[name] })
}

// start starts a server on a free port, over a new file unless vars has others.
func start(t *testing.T, vars map[string]string) *devserver.Server {
	t.Helper()
	all := map[string]string{"PORT": "0", "DATA_FILE": filepath.Join(t.TempDir(), "data", "headgate.db"), "API_KEY": "the-key"}
	for name, value := range vars {
		all[name] = value
	}
	c, err := load(t, all)
	if err != nil {
		t.Fatal(err)
	}
	return startConfig(t, c)
}

func startConfig(t *testing.T, c devserver.Config) *devserver.Server {
	t.Helper()
	s, err := devserver.Start(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func portOf(t *testing.T, s *devserver.Server) string {
	t.Helper()
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

// dial connects to the server; the connection is closed when the test ends.
func dial(t *testing.T, s *devserver.Server) *net.TCPConn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", "127.0.0.1:"+portOf(t, s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// exchange sends text as it is and returns the response's status and body.
func exchange(t *testing.T, s *devserver.Server, text string) (int, string) {
	t.Helper()
	conn := dial(t, s)
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return receive(t, conn)
}

// exchangeCut is exchange, but ends the sent bytes after text. The server then ends
// the context of a request that it is answering.
func exchangeCut(t *testing.T, s *devserver.Server, text string) (int, string) {
	t.Helper()
	conn := dial(t, s)
	_, err := io.WriteString(conn, text)
	if err := errors.Join(err, conn.CloseWrite()); err != nil {
		t.Fatal(err)
	}
	return receive(t, conn)
}

// receive returns the status and the body of a response, which must have the headers of
// every response.
func receive(t *testing.T, conn net.Conn) (int, string) {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	h := response.Header
	if _, err := uuid.Parse(h.Get("X-Request-Id")); err != nil || h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json" {
		t.Errorf("status %d with the headers %v", response.StatusCode, h)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func wantSummary(t *testing.T, body string) {
	t.Helper()
	var decoded struct{ Summary string }
	if err := json.Unmarshal([]byte(body), &decoded); err != nil || decoded.Summary == "" {
		t.Errorf("body %q has no summary (%v)", body, err)
	}
}

func TestServer_Authorization(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for header, want := range map[string]int{"Bearer the-key": 200, "Bearer other": 401, "": 401, "the-key": 401} {
		status, body := exchange(t, s, fmt.Sprintf("GET /api/postgres_databases HTTP/1.1\r\nHost: localhost:%s\r\nAuthorization: %s\r\n\r\n", portOf(t, s), header))
		if status != want || !json.Valid([]byte(body)) {
			t.Errorf("%q: status %d, want %d, body %s", header, status, want, body)
		}
	}
}

func TestServer_Host(t *testing.T) {
	t.Parallel()
	hosts := func(format string) []string {
		return strings.Fields(strings.ReplaceAll(format, ",", " "))
	}
	tests := map[string]struct {
		listen             string
		accepted, rejected []string
	}{
		"loopback": {
			"",
			hosts("127.0.0.1:PORT localhost:PORT LocalHost:PORT [::1]:PORT"),
			hosts("evil.example evil.example:PORT localhost localhost:1 127.0.0.1 127.0.0.2:PORT 192.0.2.1:PORT [::2]:PORT localhost.evil.example:PORT localhost:PORT:PORT :PORT 2130706433:PORT"),
		},
		"all addresses": {
			"0.0.0.0",
			hosts("127.0.0.1:PORT localhost:PORT 192.0.2.1:PORT [2001:db8::1]:PORT"),
			hosts("evil.example:PORT localhost 192.0.2.1"),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, map[string]string{"LISTEN_ADDRESS": test.listen})
			ask := func(host string) (int, string) {
				host = strings.ReplaceAll(host, "PORT", portOf(t, s))
				return exchange(t, s, "GET /api/openapi.json HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
			}
			for _, host := range test.accepted {
				if status, _ := ask(host); status != http.StatusOK {
					t.Errorf("%s: status %d, want 200", host, status)
				}
			}
			for _, host := range test.rejected {
				status, body := ask(host)
				if status != http.StatusMisdirectedRequest {
					t.Errorf("%s: status %d, want 421", host, status)
					continue
				}
				wantSummary(t, body)
			}
		})
	}
}

func TestServer_HostOfARequestTarget(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	status, body := exchange(t, s, "GET http://evil.example/api/openapi.json HTTP/1.1\r\nHost: localhost:"+portOf(t, s)+"\r\n\r\n")
	if status != http.StatusMisdirectedRequest {
		t.Errorf("status %d, want 421", status)
	}
	wantSummary(t, body)
}

func TestServer_BodyCutShort(t *testing.T) {
	t.Parallel()
	for name, rest := range map[string]string{
		"content length":     "Content-Length: 100\r\n\r\n{\"name\":\"orders\"}",
		"no body at all":     "Content-Length: 100\r\n\r\n",
		"unfinished chunk":   "Transfer-Encoding: chunked\r\n\r\n20\r\n{\"name\":\"orders\"}",
		"missing last chunk": "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
		"malformed chunk":    "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, nil)
			status, body := exchangeCut(t, s, fmt.Sprintf("POST /api/postgres_databases HTTP/1.1\r\nHost: localhost:%s\r\n"+
				"Authorization: Bearer the-key\r\nContent-Type: application/json\r\n%s", portOf(t, s), rest))
			if status != http.StatusBadRequest {
				t.Errorf("status %d, want 400", status)
			}
			wantSummary(t, body)
		})
	}
}

func TestServer_Unreadable(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	host := "Host: localhost:" + portOf(t, s) + "\r\nAuthorization: Bearer the-key\r\n"
	for text, want := range map[string]int{
		"GET /api/postgres_databases/%zz HTTP/1.1\r\n" + host + "\r\n": 400,
		"GET / HTTP/1.1\r\n\r\n":                                                   400,
		"nonsense\r\n\r\n":                                                         400,
		"GET / HTTP/1.1\r\n" + host + "X\x00: y\r\n\r\n":                           400,
		"GET / HTTP/3.0\r\n" + host + "\r\n":                                       505,
		"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n":           501,
		"OPTIONS * HTTP/1.1\r\n" + host + "\r\n":                                   404,
		"GET /api/postgres_databases?limit=%zz HTTP/1.1\r\n" + host + "\r\n":       422,
		"GET /api/postgres_databases?limit=1;x HTTP/1.1\r\n" + host + "\r\n":       422,
		"GET /api/postgres_databases?limit=1 HTTP/1.1\r\n" + host + "\r\n":         200,
		"POST /api/postgres_databases?dry_run=true;x HTTP/1.1\r\n" + host + "\r\n": 400, // its body comes first
	} {
		status, body := exchange(t, s, text)
		if status != want {
			t.Errorf("%q: %d %s, want %d", text, status, body, want)
		}
		if status != http.StatusOK {
			wantSummary(t, body)
		}
	}
}

func TestServer_Headers(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for bytes, want := range map[int]int{8 << 10: 200, 20 << 10: 431} {
		status, body := exchange(t, s, fmt.Sprintf("GET /api/openapi.json HTTP/1.1\r\nHost: localhost:%s\r\nX-Filler: %s\r\n\r\n",
			portOf(t, s), strings.Repeat("x", bytes)))
		if status != want {
			t.Errorf("%d bytes of headers: status %d, want %d", bytes, status, want)
		}
		if status != http.StatusOK {
			wantSummary(t, body)
		}
	}
}

func TestServer_SlowRequest(t *testing.T) {
	t.Parallel()
	c, err := load(t, map[string]string{"PORT": "0", "DATA_FILE": filepath.Join(t.TempDir(), "headgate.db"), "API_KEY": "the-key"})
	if err != nil {
		t.Fatal(err)
	}
	c.ReadTimeout = 100 * time.Millisecond
	s := startConfig(t, c)
	begin := func(t *testing.T, text string) *bufio.Reader {
		t.Helper()
		conn := dial(t, s)
		if _, err := fmt.Fprintf(conn, "POST /api/postgres_databases HTTP/1.1\r\nHost: localhost:%s\r\n%s", portOf(t, s), text); err != nil {
			t.Fatal(err)
		}
		return bufio.NewReader(conn)
	}
	t.Run("headers that do not end are cut off", func(t *testing.T) {
		t.Parallel()
		if text, err := begin(t, "X-Filler: x\r\n").ReadString('\n'); err != io.EOF {
			t.Errorf("read %q, error %v, want EOF", text, err)
		}
	})
	t.Run("a body that does not arrive gets 408", func(t *testing.T) {
		t.Parallel()
		response, err := http.ReadResponse(begin(t, "Authorization: Bearer the-key\r\nContent-Length: 100\r\n\r\n{"), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusRequestTimeout {
			t.Errorf("status %d, error %v, want 408", response.StatusCode, err)
		}
		wantSummary(t, string(body))
	})
}

func TestStart_InUse(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "headgate.db")
	port := portOf(t, start(t, map[string]string{"DATA_FILE": file}))
	for name, test := range map[string]struct {
		port, file string
		names      []string
	}{
		"port":          {port, filepath.Join(t.TempDir(), "headgate.db"), []string{"PORT"}},
		"file":          {"0", file, []string{"DATA_FILE"}},
		"port and file": {port, file, []string{"PORT", "DATA_FILE"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := load(t, map[string]string{"PORT": test.port, "DATA_FILE": test.file})
			if err != nil {
				t.Fatal(err)
			}
			_, err = devserver.Start(c, slog.New(slog.DiscardHandler))
			if err == nil {
				t.Fatal("it started")
			}
			for _, variable := range []string{"PORT", "DATA_FILE"} {
				want := "set " + variable + " to another one"
				wanted := strings.Contains(strings.Join(test.names, " "), variable)
				if strings.Contains(err.Error(), want) != wanted {
					t.Errorf("error %q, says %q: want %v", err, want, wanted)
				}
			}
		})
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	t.Run("the default address is loopback", func(t *testing.T) {
		t.Parallel()
		if c, err := load(t, nil); err != nil || c.Address.String() != "127.0.0.1:8080" {
			t.Errorf("address %s, error %v", c.Address, err)
		}
	})
	for name, value := range map[string]string{"PORT": "http", "SAMPLE": "yes", "EGRESS_ALLOW": "all", "LISTEN_ADDRESS": "localhost"} {
		t.Run("a malformed "+name+" is named", func(t *testing.T) {
			t.Parallel()
			if _, err := load(t, map[string]string{name: value}); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s=%s: error %v", name, value, err)
			}
		})
	}
}
