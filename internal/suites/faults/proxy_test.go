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

// kind is what becomes of a request.
type kind string

const (
	answers500   kind = "answers 500"
	throttles    kind = "throttles"
	hangs        kind = "hangs"
	cutsBefore   kind = "cuts before"
	cutsAfter    kind = "cuts after"
	hangsAfter   kind = "hangs after"
	landsLate    kind = "lands late"
	notFoundYet  kind = "not found yet"
	holdsBefore  kind = "killed before"
	holdsAfter   kind = "killed after"
	passes       kind = ""
	notFoundTime      = time.Second
)

// reach is which requests a fault meets.
type reach string

const (
	once   reach = "once"
	onward reach = "and on"    // each of that operation, from the nth on
	outage reach = "and all"   // each of every operation, from that one on
	timed  reach = "for a bit" // each of Secrets Manager, for a second from the first on
)

// anyOperation is the operation of a fault that meets the nth request whatever
// it is.
const anyOperation = "any operation"

// fault is one fault: the nth request of an operation, what becomes of it, and
// which others it meets too.
type fault struct {
	operation string
	nth       int
	kind      kind
	reach     reach
}

// proxy is a server between a client and moto, which has one fault.
type proxy struct {
	target   string
	prefix   string // of our secrets' names
	client   *http.Client
	server   *http.Server
	listener net.Listener

	mu       sync.Mutex
	fault    *fault
	since    time.Time // when the fault was first met
	counts   map[string]int
	met      int
	held     chan struct{} // closed when a request is held for a kill
	released chan struct{} // closed when what is late may land
	late     sync.WaitGroup
	put      []string // what the bus took
}

func newProxy(target, prefix string) (*proxy, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	p := &proxy{
		target: target, prefix: prefix, listener: listener, held: make(chan struct{}), released: make(chan struct{}),
		client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute},
	}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: time.Minute}
	go func() { _ = p.server.Serve(listener) }() // it ends when it is closed
	return p, nil
}

func (p *proxy) url() string { return "http://" + p.listener.Addr().String() }

func (p *proxy) close() {
	p.disarm()
	p.land()
	_ = p.server.Close()
}

func (p *proxy) holding() <-chan struct{} { return p.held }

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

// land lets the requests that are late have their effect, and waits for it.
func (p *proxy) land() {
	p.mu.Lock()
	select {
	case <-p.released:
	default:
		close(p.released)
	}
	p.mu.Unlock()
	p.late.Wait()
}

// decide says what becomes of the next request of that operation.
func (p *proxy) decide(service, operation string, body []byte) kind {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.fault
	if f == nil {
		return passes
	}
	p.counts[operation]++
	p.counts[anyOperation]++
	if !p.meets(f, service, operation, body) {
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

func (p *proxy) meets(f *fault, service, operation string, body []byte) bool {
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

// ServeHTTP passes a request on, unless it meets the fault.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client went away
	}
	service, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch p.decide(service, operation, body) {
	case answers500:
		refuse(w, http.StatusInternalServerError, "InternalServerError")
	case throttles:
		refuse(w, http.StatusBadRequest, "ThrottlingException")
	case notFoundYet:
		refuse(w, http.StatusBadRequest, "ResourceNotFoundException")
	case hangs:
		<-r.Context().Done()
	case cutsBefore:
		panic(http.ErrAbortHandler)
	case cutsAfter:
		p.effect(r, body)
		panic(http.ErrAbortHandler)
	case hangsAfter:
		p.effect(r, body)
		<-r.Context().Done()
	case landsLate:
		go p.landLater(r, body, p.release())
		<-r.Context().Done()
	case holdsBefore:
		close(p.held)
		<-r.Context().Done()
	case holdsAfter:
		p.effect(r, body)
		close(p.held)
		<-r.Context().Done()
	default:
		p.pass(w, r, body)
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"__type":%q,"message":"as the cell wants it"}`, code) // the client may be gone
}

func (p *proxy) release() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.released
}

func (p *proxy) landLater(r *http.Request, body []byte, released <-chan struct{}) {
	defer p.late.Done()
	<-released
	p.effect(r, body)
}

// effect has a request done whose answer nobody gets.
func (p *proxy) effect(r *http.Request, body []byte) {
	answer, err := p.send(r, body)
	if err != nil {
		return // as for a client whose answer is lost
	}
	_ = answer.Body.Close()
}

func (p *proxy) send(r *http.Request, body []byte) (*http.Response, error) {
	out, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, p.target+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	out.Header = r.Header.Clone()
	answer, err := p.client.Do(out)
	if err == nil && strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".PutEvents") {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.put = append(p.put, string(body))
	}
	return answer, err
}

func (p *proxy) pass(w http.ResponseWriter, r *http.Request, body []byte) {
	answer, err := p.send(r, body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = answer.Body.Close() }()
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body) // the client may be gone
}
