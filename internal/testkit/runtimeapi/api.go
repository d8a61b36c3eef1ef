package runtimeapi

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	apiVersion  = "/2018-06-01"
	accountID   = "123456789012"
	contentType = "application/json"
)

// api is the server side of the Runtime API for one process.
type api struct {
	config      Config
	pending     chan *invocation
	firstNext   chan struct{}
	firstNextAt time.Time // set before firstNext is closed
	once        sync.Once
	initFailure chan *FunctionError

	mu      sync.Mutex
	running map[string]*invocation
}

// invocation is one event and its result.
type invocation struct {
	id     string
	event  []byte
	begun  time.Time
	result chan Result
}

func newAPI(config Config) *api {
	return &api{
		config:      config,
		pending:     make(chan *invocation),
		firstNext:   make(chan struct{}),
		initFailure: make(chan *FunctionError, 1),
		running:     make(map[string]*invocation),
	}
}

func newInvocation(event []byte) *invocation {
	// The buffer takes the result of an invocation whose caller gave up.
	return &invocation{id: uuid.NewString(), event: event, result: make(chan Result, 1)}
}

func (a *api) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+apiVersion+"/runtime/invocation/next", a.next)
	mux.HandleFunc("POST "+apiVersion+"/runtime/invocation/{id}/response", a.response)
	mux.HandleFunc("POST "+apiVersion+"/runtime/invocation/{id}/error", a.failure)
	mux.HandleFunc("POST "+apiVersion+"/runtime/init/error", a.initError)
	return mux
}

// next blocks until there is an event for the function.
func (a *api) next(w http.ResponseWriter, r *http.Request) {
	a.once.Do(func() {
		a.firstNextAt = time.Now()
		close(a.firstNext)
	})
	select {
	case invocation := <-a.pending:
		a.begin(invocation)
		a.writeEvent(w, invocation)
	case <-r.Context().Done():
	}
}

func (a *api) begin(invocation *invocation) {
	invocation.begun = time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running[invocation.id] = invocation
}

func (a *api) writeEvent(w http.ResponseWriter, invocation *invocation) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Lambda-Runtime-Aws-Request-Id", invocation.id)
	header.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(invocation.begun.Add(a.config.Timeout).UnixMilli(), 10))
	header.Set("Lambda-Runtime-Invoked-Function-Arn",
		fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", a.config.region(), accountID, a.config.FunctionName))
	trace, parent := uuid.New(), uuid.New()
	header.Set("Lambda-Runtime-Trace-Id",
		fmt.Sprintf("Root=1-%08x-%x;Parent=%x;Sampled=0", invocation.begun.Unix(), trace[:12], parent[:8]))
	_, _ = w.Write(invocation.event) // it fails if the process ended, which Invoke notices
}

// take returns the running invocation with the request's ID and ends it. If
// there is none, take answers the request with an error and returns nil.
func (a *api) take(w http.ResponseWriter, r *http.Request) *invocation {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := r.PathValue("id")
	invocation := a.running[id]
	delete(a.running, id)
	if invocation == nil {
		refuse(w, http.StatusBadRequest, "InvalidRequestID")
	}
	return invocation
}

func (a *api) response(w http.ResponseWriter, r *http.Request) {
	invocation := a.take(w, r)
	if invocation == nil {
		return
	}
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxPayload))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		invocation.finish(nil, &FunctionError{
			Message: fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", MaxPayload),
			Type:    "Function.ResponseSizeTooLarge",
		})
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge")
	case err != nil:
		// The process ended while it was responding, which Invoke notices.
		refuse(w, http.StatusBadRequest, "InvalidRequest")
	default:
		invocation.finish(payload, trailerError(r))
		accept(w)
	}
}

// trailerError returns the error that a function reported after it had begun to
// respond, or nil.
func trailerError(r *http.Request) *FunctionError {
	kind := r.Trailer.Get("Lambda-Runtime-Function-Error-Type")
	if kind == "" {
		return nil
	}
	failure := &FunctionError{Type: kind}
	body, err := base64.StdEncoding.DecodeString(r.Trailer.Get("Lambda-Runtime-Function-Error-Body"))
	if err == nil {
		_ = json.Unmarshal(body, failure) // the type alone is enough
	}
	return failure
}

func (a *api) failure(w http.ResponseWriter, r *http.Request) {
	invocation := a.take(w, r)
	if invocation == nil {
		return
	}
	payload, failure := readFailure(w, r)
	invocation.finish(payload, failure)
	accept(w)
}

func (a *api) initError(w http.ResponseWriter, r *http.Request) {
	_, failure := readFailure(w, r)
	select {
	case a.initFailure <- failure:
	default: // the first error is the cause
	}
	accept(w)
}

func readFailure(w http.ResponseWriter, r *http.Request) ([]byte, *FunctionError) {
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxPayload))
	failure := &FunctionError{}
	if err != nil || json.Unmarshal(payload, failure) != nil || failure.Type == "" {
		failure.Type = "Runtime.UnknownReason"
		if kind := r.Header.Get("Lambda-Runtime-Function-Error-Type"); kind != "" {
			failure.Type = kind
		}
	}
	return payload, failure
}

func (i *invocation) finish(payload []byte, failure *FunctionError) {
	i.result <- Result{Payload: payload, FunctionError: failure, Duration: time.Since(i.begun)}
}

func accept(w http.ResponseWriter) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
}

func refuse(w http.ResponseWriter, status int, kind string) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"errorMessage":%q,"errorType":%q}`, http.StatusText(status), kind)
}
