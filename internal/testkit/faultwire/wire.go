// Package faultwire is the network between an AWS client and moto. It records
// requests, and can lose, delay or answer them, which moto itself can't be made
// to do.
package faultwire

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/headgate/headgate/internal/testkit/mototest"
)

// Wire is an http.RoundTripper. Its methods are safe for concurrent use.
type Wire struct {
	next http.RoundTripper

	mu       sync.Mutex
	faults   map[string][]Fault
	requests map[string][]string
}

// New returns a Wire without faults.
func New(tb testing.TB) *Wire {
	transport := &http.Transport{} // without a proxy, since moto is on loopback
	tb.Cleanup(transport.CloseIdleConnections)
	return &Wire{next: transport, faults: map[string][]Fault{}, requests: map[string][]string{}}
}

// Config returns the configuration of an SDK client for the moto server at url.
func (w *Wire) Config(url string) aws.Config {
	config := mototest.Config(url)
	config.HTTPClient = &http.Client{Transport: w}
	return config
}

// Script sets the faults of an operation's next requests, one for each. The last
// fault remains in force: end with Pass to let later requests through.
func (w *Wire) Script(operation string, faults ...Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[operation] = faults
}

// Requests returns the bodies of all requests of the operation.
func (w *Wire) Requests(operation string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.requests[operation])
}

// RoundTrip records a request and handles it by the operation's script.
func (w *Wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	copied := r.Clone(r.Context())
	copied.Body = io.NopCloser(bytes.NewReader(body))
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	return w.record(operation, string(body))(copied, w.next.RoundTrip)
}

// record returns the fault for the request.
func (w *Wire) record(operation, body string) Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests[operation] = append(w.requests[operation], body)
	script := w.faults[operation]
	switch len(script) {
	case 0:
		return Pass
	case 1:
	default:
		w.faults[operation] = script[1:]
	}
	return script[0]
}
