// Package bustest implements EventBridge's PutEvents for tests. moto accepts events too
// but offers no way to read them.
package bustest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Event is an event as it was put.
type Event struct {
	EventBusName, Source, DetailType, Detail string
}

// Bus keeps the events that are put on it. It is safe for concurrent use.
type Bus struct {
	url string

	mu   sync.Mutex
	put  []Event
	fail bool
}

// Start starts a bus, which is closed when the test ends.
func Start(t testing.TB) *Bus {
	t.Helper()
	b := &Bus{}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// Variable returns the environment variable that directs a program to the bus.
func (b *Bus) Variable() string { return "AWS_ENDPOINT_URL_EVENTBRIDGE=" + b.url }

// Take returns the events that were put since it was last called.
func (b *Bus) Take() []Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	put := b.put
	b.put = nil
	return put
}

// Fail sets whether the bus takes no event.
func (b *Bus) Fail(fail bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = fail
}

// ServeHTTP answers PutEvents for one event.
func (b *Bus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	var in struct{ Entries []Event }
	if err != nil || json.Unmarshal(body, &in) != nil || !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".PutEvents") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	answer := `{"FailedEntryCount":0,"Entries":[{"EventId":"e"}]}`
	if b.fail {
		answer = `{"FailedEntryCount":1,"Entries":[{"ErrorCode":"InternalFailure"}]}`
	} else {
		b.put = append(b.put, in.Entries...)
	}
	_, _ = io.WriteString(w, answer) // the program reports a lost answer
}
