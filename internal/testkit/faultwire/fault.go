package faultwire

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// Send forwards a request to the server and returns the response.
type Send = func(*http.Request) (*http.Response, error)

// Fault handles a request in place of the network. It may call send.
type Fault func(r *http.Request, send Send) (*http.Response, error)

// Pass forwards the request.
func Pass(r *http.Request, send Send) (*http.Response, error) { return send(r) }

// LoseAnswer forwards the request and resets the connection before the response
// arrives.
func LoseAnswer(r *http.Request, send Send) (*http.Response, error) {
	response, err := send(r)
	if err != nil {
		return nil, err
	}
	if err := response.Body.Close(); err != nil {
		return nil, err
	}
	return LoseRequest(r, send)
}

// LoseRequest resets the connection before the request reaches the server.
func LoseRequest(*http.Request, Send) (*http.Response, error) {
	return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
}

// Hang blocks until the client gives up.
func Hang(r *http.Request, _ Send) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// NoConnection refuses the connection.
func NoConnection(*http.Request, Send) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
}

// Answer responds with an error in place of the server. members are added to the
// body.
func Answer(status int, code string, members map[string]any) Fault {
	return func(r *http.Request, _ Send) (*http.Response, error) {
		body := map[string]any{"__type": code, "message": "injected by the test"}
		maps.Copy(body, members)
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode response: %w", err)
		}
		return &http.Response{
			StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: r,
			Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
			Body:   io.NopCloser(strings.NewReader(string(text))),
		}, nil
	}
}

// Canceled responds that a transaction was cancelled, with a reason for each of
// its items.
func Canceled(reasons ...Reason) Fault {
	return Answer(http.StatusBadRequest, "TransactionCanceledException", map[string]any{"CancellationReasons": reasons})
}

// Reason is why an item of a transaction failed. Code is "None" for an item that
// did not.
type Reason struct {
	Code string
	Item map[string]map[string]string `json:",omitempty"`
}
