// Package faultwire is the network between an AWS client and moto, for tests: it
// records the requests, and can lose, hold up or answer them itself, which a
// real server can't be made to do.
package faultwire

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/headgate/headgate/internal/testkit/mototest"
)

// Wire is an http.RoundTripper. It is safe for concurrent use.
type Wire struct {
	next http.RoundTripper

	mu       sync.Mutex
	faults   map[string][]Fault
	requests map[string][]string
}

// New makes a Wire without faults.
func New(tb testing.TB) *Wire {
	transport := &http.Transport{} // no proxy: moto is on loopback
	tb.Cleanup(transport.CloseIdleConnections)
	return &Wire{
		next:   transport,
		faults: map[string][]Fault{}, requests: map[string][]string{},
	}
}

// DynamoDB is a client of the server at url.
func (w *Wire) DynamoDB(url string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: mototest.Region, Credentials: mototest.Credentials(),
		BaseEndpoint: &url, HTTPClient: &http.Client{Transport: w},
	})
}

// SecretsManager is a client of the server at url.
func (w *Wire) SecretsManager(url string) *secretsmanager.Client {
	return secretsmanager.New(secretsmanager.Options{
		Region: mototest.Region, Credentials: mototest.Credentials(),
		BaseEndpoint: &url, HTTPClient: &http.Client{Transport: w},
	})
}

// Script gives the next requests of that operation one fault each, and those
// after them the last one's again; end it with Pass to let them through.
func (w *Wire) Script(operation string, faults ...Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[operation] = faults
}

// Requests are the bodies of all requests of that operation.
func (w *Wire) Requests(operation string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.requests[operation]...)
}

// RoundTrip sends a request, or does with it what the script says.
func (w *Wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	copied := r.Clone(r.Context())
	copied.Body = io.NopCloser(bytes.NewReader(body))
	target := r.Header.Get("X-Amz-Target")
	operation := target[strings.LastIndex(target, ".")+1:]
	fault := w.record(operation, string(body))
	return fault(copied, w.next.RoundTrip)
}

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
