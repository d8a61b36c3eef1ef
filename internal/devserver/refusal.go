package devserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// refuse answers a request that does not reach the API with an error in the API's form,
// and logs it under the ID that the response has.
func refuse(w http.ResponseWriter, r *http.Request, log *slog.Logger, status int, summary string, attrs ...any) {
	id := uuid.NewString()
	log.WarnContext(r.Context(), "request refused", append([]any{"request_id", id, "status", status}, attrs...)...)
	writeSummary(w, id, status, summary)
}

// writeSummary writes an error that the API itself does not have, in its form.
func writeSummary(w http.ResponseWriter, requestID string, status int, summary string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Request-Id", requestID)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"summary": summary}) // it fails if the client is gone
}

// refusingListener gives the API's form to the responses that net/http writes itself, as
// text, to requests that it can't read. No handler sees those.
type refusingListener struct {
	net.Listener
	log *slog.Logger
}

// Accept returns the next connection.
func (l *refusingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	tcp, ok := conn.(*net.TCPConn)
	if err != nil || !ok {
		return conn, err
	}
	return &refusingConn{tcp, l.log}, nil
}

type refusingConn struct {
	*net.TCPConn
	log *slog.Logger
}

// Write writes b, or what it says in the API's form if it is an error of net/http, which
// writes those in one piece.
func (c *refusingConn) Write(b []byte) (int, error) {
	const headersOfText = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
	line, _, found := bytes.Cut(b, []byte(headersOfText))
	text, isResponse := strings.CutPrefix(string(line), "HTTP/1.1 ")
	if !found || !isResponse || strings.Contains(text, "\n") {
		return c.TCPConn.Write(b)
	}
	code, _, _ := strings.Cut(text, " ")
	status, err := strconv.Atoi(code)
	if err != nil {
		return c.TCPConn.Write(b)
	}
	id := uuid.NewString()
	c.log.Warn("request refused", "request_id", id, "status", status)
	_, err = fmt.Fprintf(c.TCPConn, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nX-Request-Id: %s\r\nConnection: close\r\n\r\n{\"summary\":%q}\n",
		status, http.StatusText(status), id, unreadable(status))
	return len(b), err
}

// unreadable returns the summary of a request that net/http refuses with that status.
func unreadable(status int) string {
	switch status {
	case http.StatusRequestHeaderFieldsTooLarge:
		return "the headers are over 10 KiB (10,240 bytes)"
	case http.StatusNotImplemented:
		return "the Transfer-Encoding is not supported: send the body as it is, or in chunks"
	case http.StatusHTTPVersionNotSupported:
		return "the HTTP version is not supported: send HTTP/1.1"
	}
	return "the request's path or one of its headers is not valid HTTP"
}
