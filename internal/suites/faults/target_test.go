package faults_test

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgproto3"
)

// flight is the operation of a fault in the connection to the target. A flight is
// everything that the client sends before it waits for the server again.
const flight = "flight"

// The SQLSTATEs of temporary errors.
const (
	startsUp  kind = pgerrcode.CannotConnectNow
	isFull    kind = pgerrcode.TooManyConnections
	shutsDown kind = pgerrcode.AdminShutdown
)

func (f fault) onTarget() bool { return f.operation == flight }

// target is a server between the probe and Postgres. It has one fault at a time.
type target struct {
	server   int // Postgres's port
	listener net.Listener
	holding  chan struct{} // closed when a flight is held for a kill
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
		return nil, fmt.Errorf("listen: %w", err)
	}
	t := &target{server: server, listener: listener, holding: make(chan struct{}), open: map[net.Conn]bool{}}
	t.serving.Go(t.accept)
	return t, nil
}

func (t *target) port() int { return t.listener.Addr().(*net.TCPAddr).Port }

func (t *target) held() <-chan struct{} { return t.holding }

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

// close closes every connection and waits until they have ended.
func (t *target) close() error {
	err := t.listener.Close()
	t.mu.Lock()
	t.closed = true
	for conn := range t.open {
		_ = conn.Close() // it may be closed already
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

// register makes close close conn. It reports whether the target is open.
func (t *target) register(conn net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open[conn] = true
	return !t.closed
}

func (t *target) drop(conn net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, conn)
	_ = conn.Close() // it may be closed already
}

func (t *target) serve(client net.Conn) {
	defer t.drop(client)
	server, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(t.server)))
	if err != nil {
		return
	}
	defer t.drop(server)
	if !t.register(client) || !t.register(server) {
		return
	}
	(&connection{target: t, client: client, server: server}).forward()
}

// decide returns what happens to the next flight.
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

// connection is one connection between a client and the server.
type connection struct {
	target         *target
	client, server net.Conn

	mu       sync.Mutex
	inFlight bool // the client sent the last bytes
	muted    bool // the client receives nothing more from the server
}

// forward copies bytes in both directions until one side closes the connection or
// a fault does.
func (p *connection) forward() {
	var responses sync.WaitGroup
	responses.Go(p.forwardResponses)
	p.forwardFlights()
	_ = p.server.Close() // it may be closed already
	responses.Wait()
}

func (p *connection) forwardFlights() {
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
		if !p.send(k, buffer[:n]) {
			return
		}
	}
}

// begins reports whether the client begins a new flight.
func (p *connection) begins() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := !p.inFlight
	p.inFlight = true
	return first
}

// send forwards a flight as the fault requires. It reports whether the connection
// continues.
func (p *connection) send(k kind, data []byte) bool {
	switch k {
	case cutsBefore:
		return false
	case hangsBefore, holdsBefore:
		p.hold(k)
		return false
	case cutsAfter, hangsAfter, holdsAfter:
		p.mute()
		if _, err := p.server.Write(data); err != nil || k == cutsAfter {
			return false
		}
		p.hold(k)
		return false
	case startsUp, isFull, shutsDown:
		p.mute()
		message, err := (&pgproto3.ErrorResponse{Severity: "FATAL", Code: string(k), Message: "injected by the cell"}).Encode(nil)
		if err == nil {
			_, _ = p.client.Write(message) // the client may have gone
		}
		_ = p.client.Close()
		return false
	}
	_, err := p.server.Write(data)
	return err == nil
}

// mute stops forwarding the server's bytes.
func (p *connection) mute() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.muted = true
}

// hold waits until the client closes the connection.
func (p *connection) hold(k kind) {
	p.mute()
	if k == holdsBefore || k == holdsAfter {
		close(p.target.holding)
	}
	_, _ = io.Copy(io.Discard, p.client) // an error is an end too
}

func (p *connection) forwardResponses() {
	buffer := make([]byte, 16<<10)
	for {
		n, err := p.server.Read(buffer)
		if n > 0 && !p.respond(buffer[:n]) || err != nil {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.muted {
		_ = p.client.Close() // as the server did
	}
}

// respond forwards the server's bytes unless the client is muted. It reports
// whether the connection continues.
func (p *connection) respond(b []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.muted {
		return true
	}
	p.inFlight = false
	_, err := p.client.Write(b)
	return err == nil
}
