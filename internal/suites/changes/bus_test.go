package changes_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// fault is what the bus does with a request.
type fault string

const (
	passed       fault = "none"
	throttled    fault = "throttled request"
	broken       fault = "internal error"
	partly       fault = "a part is not taken"
	answerLost   fault = "taken, response lost"
	crashBefore  fault = "function killed before the bus takes the events"
	crashAfter   fault = "function killed after the bus took the events"
	neverAnswers fault = "no response"
)

func allFaults() []fault {
	return []fault{throttled, broken, partly, answerLost, crashBefore, crashAfter, neverAnswers}
}

// entry is an event as it was put.
type entry struct {
	EventBusName, Source, DetailType, Detail string
}

// bus implements EventBridge's PutEvents and keeps the events in the order in which they
// are put. moto accepts events too but has no way to read them.
type bus struct {
	url   string
	crash func()

	mu     sync.Mutex
	faults func() fault
	met    map[fault]int
	put    []entry
}

func newBus(t *testing.T, crash func()) *bus {
	t.Helper()
	b := &bus{crash: crash, met: map[fault]int{}}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// ServeHTTP answers PutEvents.
func (b *bus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	var in struct{ Entries []entry }
	if err != nil || json.Unmarshal(body, &in) != nil || len(in.Entries) == 0 || len(in.Entries) > 10 || len(body) > 300<<10 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	f := passed
	if b.faults != nil {
		f = b.faults()
	}
	b.met[f]++
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	switch f {
	case throttled:
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"ThrottlingException","message":"injected"}`)
		return
	case broken:
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"__type":"InternalException","message":"injected"}`)
		return
	case neverAnswers:
		b.mu.Unlock()
		<-r.Context().Done()
		b.mu.Lock()
		return
	case crashBefore:
		b.crash()
		return
	}
	results, failed := "", 0
	for i, e := range in.Entries {
		if i > 0 {
			results += ","
		}
		if f == partly && i%2 == 0 {
			failed++
			results += `{"ErrorCode":"InternalFailure","ErrorMessage":"injected"}`
			continue
		}
		b.put = append(b.put, e)
		results += fmt.Sprintf(`{"EventId":"event-%d"}`, len(b.put))
	}
	switch f {
	case crashAfter:
		b.crash()
		return
	case answerLost:
		panic(http.ErrAbortHandler)
	}
	_, _ = fmt.Fprintf(w, `{"FailedEntryCount":%d,"Entries":[%s]}`, failed, results)
}

// setFaults sets the function that chooses the fault of each request, nil for none.
func (b *bus) setFaults(f func() fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = f
}

// events returns what was put so far.
func (b *bus) events() []entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]entry{}, b.put...)
}
