package hostile_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/devserver"
	"github.com/headgate/headgate/internal/testkit/deployment"
	"github.com/headgate/headgate/internal/testkit/gateway"
	"github.com/headgate/headgate/internal/testkit/localrun"
)

const localKey = "a-local-key"

// newDevserver starts a development server, and returns its address and its log.
func newDevserver(t *testing.T) (string, *localrun.Output) {
	t.Helper()
	config, err := devserver.Load(deployment.Lookup([]string{
		"PORT=0", "DATA_FILE=" + filepath.Join(t.TempDir(), "headgate.db"), "API_KEY=" + localKey,
	}))
	if err != nil {
		t.Fatal(err)
	}
	config.ReadTimeout = 2 * time.Second
	log := &localrun.Output{}
	s, err := devserver.Start(config, slog.New(slog.NewJSONHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return strings.TrimPrefix(s.URL(), "http://"), log
}

// rawRequest sends text, and no more than that, and returns the status of the answer, 0
// where the server only closed the connection.
func rawRequest(t *testing.T, address, text string) (status int, body string) {
	t.Helper()
	return exchange(t, address, text, true)
}

// exchange is rawRequest. With half true it closes its half of the connection after
// text, at which net/http can cancel a request that it serves.
func exchange(t *testing.T, address, text string, half bool) (status int, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// A server may answer, and close, before it has read everything.
	_, _ = io.WriteString(conn, text)
	if half {
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil && !strings.Contains(err.Error(), "not connected") {
			t.Fatal(err)
		}
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = response.Body.Close() }()
	read, _ := io.ReadAll(response.Body) // it may be cut short
	total.add(requestsSent, 1)
	return response.StatusCode, string(read)
}

func TestDevserver_Hosts(t *testing.T) {
	t.Parallel()
	address, log := newDevserver(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	get := "GET " + gateway.Collection + " HTTP/1.1\r\nAuthorization: Bearer " + localKey + "\r\n"
	if status, body := exchange(t, address, get+"Connection: close\r\nHost: "+address+"\r\n\r\n", false); status != 200 {
		t.Fatalf("its own host: %d %s", status, body)
	}
	for _, host := range []string{
		"evil.example", "evil.example:" + port, "localhost", "localhost.evil.example:" + port, "localhost.:" + port, "127.0.0.1.evil.example:" + port,
		"127.0.0.1", "127.0.0.1:1", "127.1:" + port, "2130706433:" + port, "0x7f.1:" + port, "0.0.0.0:" + port, "[::]:" + port, "[::ffff:127.0.0.1]:" + port,
		"[::1%25lo]:" + port, "localhost:" + port + ":80", "localhost:0" + port, "user@localhost:" + port, "localhost:" + port + "/x", "localhost:" + port + "#",
		"localhost:" + port + ",evil.example", "evil.example\tlocalhost:" + port, "", ":" + port, "169.254.169.254", "ｌocalhost:" + port, "localhost\x00:" + port,
	} {
		total.mode("devserver host")
		if status, body := rawRequest(t, address, get+"Host: "+host+"\r\n\r\n"); status < 400 && status != 0 || status >= 500 && status != http.StatusNotImplemented { // net/http's own, for an unknown coding
			t.Errorf("host %q: %d %s", host, status, body)
		}
	}
	for name, text := range map[string]string{
		"no host":             get + "\r\n",
		"HTTP/1.0":            strings.Replace(get, "HTTP/1.1", "HTTP/1.0", 1) + "\r\n",
		"two hosts":           get + "Host: " + address + "\r\nHost: evil.example\r\n\r\n",
		"absolute target":     strings.Replace(get, "GET /", "GET http://evil.example/", 1) + "Host: " + address + "\r\n\r\n",
		"CONNECT":             "CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example:80\r\n\r\n",
		"folded header":       get + "Host: evil.example\r\n " + address + "\r\n\r\n",
		"space before colon":  get + "Host : " + address + "\r\n\r\n",
		"forwarded":           get + "Host: evil.example\r\nX-Forwarded-Host: " + address + "\r\nForwarded: host=" + address + "\r\n\r\n",
		"headers over limits": get + "Host: " + address + "\r\nX-Filler: " + strings.Repeat("x", 1<<20) + "\r\n\r\n",
		"many headers":        get + "Host: " + address + "\r\n" + strings.Repeat("X-Filler: x\r\n", 100_000) + "\r\n",
	} {
		total.mode("devserver: " + name)
		if status, body := rawRequest(t, address, text); status < 400 && status != 0 || status >= 500 && status != http.StatusNotImplemented { // net/http's own, for an unknown coding
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if strings.Contains(log.String(), localKey) {
		t.Error("the log has the key")
	}
}

func TestDevserver_Bodies(t *testing.T) {
	t.Parallel()
	address, log := newDevserver(t)
	whole := `{"name":"orders","hostname":"db.example","database":"d","username":"u","password":"a planted password","replication_slots":[{"publication_name":"p","slot_name":"s"}]}`
	post := "POST " + gateway.Collection + " HTTP/1.1\r\nHost: " + address + "\r\nAuthorization: Bearer " + localKey + "\r\nContent-Type: application/json\r\n"
	for name, text := range map[string]string{
		"cut short":             post + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(whole)+1, whole),
		"cut in the middle":     post + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(whole), whole[:50]),
		"chunk cut short":       post + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s", len(whole)+9, whole),
		"no last chunk":         post + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(whole), whole),
		"chunk of a huge size":  post + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + whole,
		"chunk of no size":      post + "Transfer-Encoding: chunked\r\n\r\n-1\r\n" + whole,
		"length and chunks":     post + fmt.Sprintf("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(whole), whole),
		"two lengths":           post + fmt.Sprintf("Content-Length: 5\r\nContent-Length: %d\r\n\r\n%s", len(whole), whole),
		"negative length":       post + "Content-Length: -1\r\n\r\n" + whole,
		"huge length":           post + "Content-Length: 99999999999999999999\r\n\r\n" + whole,
		"unknown coding":        post + "Transfer-Encoding: gzip\r\n\r\n" + whole,
		"trailers":              post + fmt.Sprintf("Transfer-Encoding: chunked\r\nTrailer: Host\r\n\r\n%x\r\n%s\r\n0\r\nHost: evil.example\r\nX: %s\r\n\r\n", len(whole), whole, strings.Repeat("x", 1<<20)),
		"too large":             post + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", 1<<20, strings.Repeat(" ", 1<<20)),
		"no end of the headers": post + "X: y",
		"a bare line feed":      strings.ReplaceAll(post, "\r\n", "\n") + "Content-Length: 2\n\n{}",
	} {
		total.mode("devserver body: " + name)
		if status, body := rawRequest(t, address, text); status < 400 && status != 0 || status >= 500 && status != http.StatusNotImplemented { // net/http's own, for an unknown coding
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	status, body := rawRequest(t, address, "GET "+gateway.Collection+" HTTP/1.1\r\nHost: "+address+"\r\nAuthorization: Bearer "+localKey+"\r\n\r\n")
	if status != 200 || strings.TrimSpace(body) != `{"data":[]}` {
		t.Errorf("the list after all: %d %s", status, body)
	}
	if strings.Contains(log.String(), "planted") {
		t.Error("the log has a password")
	}
}
