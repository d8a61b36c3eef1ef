package faults_test

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5/pgproto3"
)

// onTarget is the operation of a fault on the way to the target: a flight, which
// is what the probe says after it has heard the server, or first of all.
const onTarget = "flight"

// What a target says that passes by itself.
const (
	startsUp  kind = "57P03"
	isFull    kind = "53300"
	shutsDown kind = "57P01"
)

func (f fault) flight() bool { return f.operation == onTarget }

// target is a server between the probe and Postgres, which has one fault.
type target struct {
	server   int // Postgres's port
	listener net.Listener
	held     chan struct{} // closed when a flight is held for a kill
	serving  sync.WaitGroup

	mu      sync.Mutex
	fault   *fault
	flights int
	met     int
	open    map[net.Conn]bool
	closed  bool
}

func newTarget(server int) (*target, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	t := &target{server: server, listener: listener, held: make(chan struct{}), open: map[net.Conn]bool{}}
	t.serving.Go(t.accept)
	return t, nil
}

func (t *target) port() int { return t.listener.Addr().(*net.TCPAddr).Port }

func (t *target) holding() <-chan struct{} { return t.held }

func (t *target) arm(f fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fault, t.flights, t.met = &f, 0, 0
}

func (t *target) disarm() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fault = nil
	return t.met
}

// close ends every connection, and waits for that.
func (t *target) close() error {
	err := t.listener.Close()
	t.mu.Lock()
	t.closed = true
	for conn := range t.open {
		_ = conn.Close() // all that is wanted is that it ends
	}
	t.mu.Unlock()
	t.serving.Wait()
	return err
}

func (t *target) accept() {
	for {
		client, err := t.listener.Accept()
		if err != nil {
			return // closed
		}
		t.serving.Go(func() { t.serve(client) })
	}
}

// keep has conn closed when t is, and tells whether it is not yet.
func (t *target) keep(conn net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open[conn] = true
	return !t.closed
}

func (t *target) drop(conn net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, conn)
	_ = conn.Close() // the other end notices
}

func (t *target) serve(client net.Conn) {
	defer t.drop(client)
	server, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(t.server)))
	if err != nil {
		return
	}
	defer t.drop(server)
	if !t.keep(client) || !t.keep(server) {
		return
	}
	(&passage{target: t, client: client, server: server}).pass()
}

// decide says what becomes of the next flight.
func (t *target) decide() kind {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fault == nil {
		return passes
	}
	if t.flights++; t.flights != t.fault.nth {
		return passes
	}
	t.met++
	return t.fault.kind
}

// passage is one connection between a client and the server.
type passage struct {
	target         *target
	client, server net.Conn

	mu       sync.Mutex
	speaking bool // the client spoke last
	mute     bool // the client does not hear the server any more
}

// pass passes on what either says, until one of them ends or a fault does.
func (p *passage) pass() {
	var back sync.WaitGroup
	back.Go(p.backward)
	p.forward()
	_ = p.server.Close() // it may be gone already
	back.Wait()
}

func (p *passage) forward() {
	buffer := make([]byte, 16<<10)
	for {
		n, err := p.client.Read(buffer)
		if err != nil {
			return
		}
		k := passes
		if p.begins() {
			k = p.target.decide()
		}
		if !p.fly(k, buffer[:n]) {
			return
		}
	}
}

// begins tells whether what the client says now is a flight's beginning.
func (p *passage) begins() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := !p.speaking
	p.speaking = true
	return first
}

// fly does with a flight what the fault wants, and tells whether to go on.
func (p *passage) fly(k kind, flight []byte) bool {
	switch k {
	case cutsBefore:
		return false
	case hangs, holdsBefore:
		p.hold(k)
		return false
	case cutsAfter, hangsAfter, holdsAfter:
		p.hush()
		if _, err := p.server.Write(flight); err != nil || k == cutsAfter {
			return false
		}
		p.hold(k)
		return false
	case startsUp, isFull, shutsDown:
		p.hush()
		message, err := (&pgproto3.ErrorResponse{Severity: "FATAL", Code: string(k), Message: "as the cell wants it"}).Encode(nil)
		if err == nil {
			_, _ = p.client.Write(message) // the client may be gone
		}
		_ = p.client.Close()
		return false
	}
	_, err := p.server.Write(flight)
	return err == nil
}

// hush keeps from the client what the server says from now on.
func (p *passage) hush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = true
}

// hold waits until the client is gone.
func (p *passage) hold(k kind) {
	p.hush()
	if k == holdsBefore || k == holdsAfter {
		close(p.target.held)
	}
	_, _ = io.Copy(io.Discard, p.client) // its end is what is waited for
}

func (p *passage) backward() {
	buffer := make([]byte, 16<<10)
	for {
		n, err := p.server.Read(buffer)
		if n > 0 && !p.answer(buffer[:n]) || err != nil {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.mute {
		_ = p.client.Close() // as the server has
	}
}

// answer passes on what the server says, and tells whether to go on.
func (p *passage) answer(b []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mute {
		return true
	}
	p.speaking = false
	_, err := p.client.Write(b)
	return err == nil
}
