package faults_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// kind is what happens to a request.
type kind string

const (
	answers500  kind = "answers 500"
	throttles   kind = "throttles"
	hangsBefore kind = "hangs"
	cutsBefore  kind = "cuts before"
	cutsAfter   kind = "cuts after"
	hangsAfter  kind = "hangs after"
	landsLate   kind = "lands late"
	notFoundYet kind = "not found yet"
	holdsBefore kind = "killed before"
	holdsAfter  kind = "killed after"
	passes      kind = ""
)

// notFoundTime is how long a fault of kind notFoundYet lasts.
const notFoundTime = time.Second

// reach is which requests a fault applies to.
type reach string

const (
	once   reach = "once"
	onward reach = "from then on" // every request of that operation, from the nth on
	outage reach = "in an outage" // every request of all operations, from that one on
	timed  reach = "for a second" // every request to Secrets Manager, from the first on
)

// anyOperation is the operation of a fault that applies to the nth request of all.
const anyOperation = "any operation"

// fault applies to the nth request of an operation and to the others in its reach.
type fault struct {
	operation string
	nth       int
	kind      kind
	reach     reach
}

// proxy is a server between a client and moto. It has one fault at a time.
type proxy struct {
	target   string
	prefix   string // of the stack's secrets
	client   *http.Client
	server   *http.Server
	listener net.Listener

	mu       sync.Mutex
	fault    *fault
	since    time.Time // when the fault first applied
	counts   map[string]int
	met      int
	holding  chan struct{} // closed when a request is held for a kill
	released chan struct{} // closed when late requests may take effect
	late     sync.WaitGroup
}

func newProxy(target, prefix string) (*proxy, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	p := &proxy{
		target: target, prefix: prefix, listener: listener, holding: make(chan struct{}), released: make(chan struct{}),
		client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute},
	}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: time.Minute}
	go func() { _ = p.server.Serve(listener) }() // returns when close closes the server
	return p, nil
}

func (p *proxy) url() string { return "http://" + p.listener.Addr().String() }

func (p *proxy) close() {
	p.disarm()
	p.releaseLate()
	_ = p.server.Close()
}

func (p *proxy) held() <-chan struct{} { return p.holding }

func (p *proxy) arm(f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.counts, p.met = &f, map[string]int{}, 0
	select {
	case <-p.released:
		p.released = make(chan struct{})
	default:
	}
}

func (p *proxy) disarm() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = nil
	return p.met
}

// releaseLate makes late requests take effect, and waits for that.
func (p *proxy) releaseLate() {
	p.mu.Lock()
	select {
	case <-p.released:
	default:
		close(p.released)
	}
	p.mu.Unlock()
	p.late.Wait()
}

// decide returns what happens to the next request.
func (p *proxy) decide(service, operation string, body []byte) kind {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.fault
	if f == nil {
		return passes
	}
	p.counts[operation]++
	p.counts[anyOperation]++
	if !p.applies(f, service, operation, body) {
		return passes
	}
	if p.met++; p.met == 1 {
		p.since = time.Now()
	}
	if f.kind == landsLate {
		p.late.Add(1)
	}
	if f.kind == holdsBefore || f.kind == holdsAfter {
		p.fault = nil
	}
	return f.kind
}

func (p *proxy) applies(f *fault, service, operation string, body []byte) bool {
	count, named := p.counts[f.operation], f.operation == operation || f.operation == anyOperation
	switch f.reach {
	case timed:
		ours := service == "secretsmanager" && bytes.Contains(body, []byte(p.prefix))
		return ours && operation != "CreateSecret" && (p.met == 0 || time.Since(p.since) < notFoundTime)
	case outage:
		return p.met > 0 || named && count == f.nth
	case onward:
		return named && count >= f.nth
	}
	return named && count == f.nth
}

// ServeHTTP forwards a request unless the fault applies to it.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client has gone
	}
	service, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch p.decide(service, operation, body) {
	case answers500:
		refuse(w, http.StatusInternalServerError, "InternalServerError")
	case throttles:
		refuse(w, http.StatusBadRequest, "ThrottlingException")
	case notFoundYet:
		refuse(w, http.StatusBadRequest, "ResourceNotFoundException")
	case hangsBefore:
		<-r.Context().Done()
	case cutsBefore:
		panic(http.ErrAbortHandler)
	case cutsAfter:
		p.discard(r, body)
		panic(http.ErrAbortHandler)
	case hangsAfter:
		p.discard(r, body)
		<-r.Context().Done()
	case landsLate:
		go p.sendLate(r, body, p.release())
		<-r.Context().Done()
	case holdsBefore:
		close(p.holding)
		<-r.Context().Done()
	case holdsAfter:
		p.discard(r, body)
		close(p.holding)
		<-r.Context().Done()
	default:
		p.forward(w, r, body)
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"__type":%q,"message":"injected by the cell"}`, code) // the client may have gone
}

func (p *proxy) release() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.released
}

func (p *proxy) sendLate(r *http.Request, body []byte, released <-chan struct{}) {
	defer p.late.Done()
	<-released
	p.discard(r, body)
}

// discard sends a request and discards the response.
func (p *proxy) discard(r *http.Request, body []byte) {
	response, err := p.send(r, body)
	if err != nil {
		return // the response is lost in any case
	}
	_ = response.Body.Close()
}

func (p *proxy) send(r *http.Request, body []byte) (*http.Response, error) {
	out, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, p.target+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	out.Header = r.Header.Clone()
	return p.client.Do(out)
}

func (p *proxy) forward(w http.ResponseWriter, r *http.Request, body []byte) {
	response, err := p.send(r, body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = response.Body.Close() }()
	for name, values := range response.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body) // the client may have gone
}
