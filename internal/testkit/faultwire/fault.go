package faultwire

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// Fault is what becomes of a request: it may send it, and gives the answer.
type Fault func(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error)

// Pass sends a request and gives its answer.
func Pass(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	return send(r)
}

// LoseAnswer has a request done, and resets the connection before the answer.
func LoseAnswer(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	answer, err := send(r)
	if err != nil {
		return nil, err
	}
	if err := answer.Body.Close(); err != nil {
		return nil, err
	}
	return LoseRequest(r, send)
}

// LoseRequest resets the connection before a request is done.
func LoseRequest(*http.Request, func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
}

// Hang does nothing until the client gives up.
func Hang(r *http.Request, _ func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// NoConnection is a server that nobody listens for.
func NoConnection(*http.Request, func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
}

// Answer has a request not done and answered with an error: its status, its
// code, and what members the answer has beside.
func Answer(status int, code string, members map[string]any) Fault {
	return func(r *http.Request, _ func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		body := map[string]any{"__type": code, "message": "as the test wants it"}
		for name, value := range members {
			body[name] = value
		}
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encoding the answer: %w", err)
		}
		return &http.Response{
			StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: r,
			Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
			Body:   io.NopCloser(strings.NewReader(string(text))),
		}, nil
	}
}

// Canceled is the answer that a transaction was cancelled, with a reason for
// each of its items.
func Canceled(reasons ...Reason) Fault {
	return Answer(http.StatusBadRequest, "TransactionCanceledException", map[string]any{"CancellationReasons": reasons})
}

// Reason is why an item of a transaction failed, "None" where it did not.
type Reason struct {
	Code string
	Item map[string]map[string]string `json:",omitempty"`
}
