// Package link is a TCP proxy that adds a round-trip time to connections on one
// machine and counts the round trips.
package link

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// Link forwards TCP connections to a server. Bytes of each direction arrive half
// a round trip after they were sent, without a limit of the bandwidth. Its methods
// are safe for concurrent use.
//
// The kernel accepts a connection at once, which over a distance takes a round
// trip before the client can send anything. So the link holds the client's first
// bytes, and those after them, for one more round trip, and counts it.
type Link struct {
	listener  net.Listener
	target    string
	roundTrip time.Duration
	ctx       context.Context
	cancel    context.CancelFunc
	work      sync.WaitGroup

	mu      sync.Mutex
	traffic Traffic
}

// Traffic counts what went over a link.
type Traffic struct {
	Connections int
	// RoundTrips counts the times that a client waited: once for each connection,
	// and once each time that the server sent something after the client had. What a
	// client sends before it closes the connection does not count. Two writes without
	// a read between them count once if the round-trip time is longer than the time
	// between them; without one, a response may arrive in between.
	RoundTrips int
}

// Minus returns the traffic since an earlier one.
func (t Traffic) Minus(earlier Traffic) Traffic {
	return Traffic{t.Connections - earlier.Connections, t.RoundTrips - earlier.RoundTrips}
}

// Open opens a link on a free port of 127.0.0.1 to the server at target, which is
// host:port.
func Open(target string, roundTrip time.Duration) (*Link, error) {
	return OpenAt("127.0.0.1:0", target, roundTrip)
}

// OpenAt is Open with the address to listen on.
func OpenAt(address, target string, roundTrip time.Duration) (*Link, error) {
	listener, err := net.Listen("tcp4", address)
	if err != nil {
		return nil, fmt.Errorf("open link to %s: %w", target, err)
	}
	l := &Link{listener: listener, target: target, roundTrip: roundTrip}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.work.Go(l.accept)
	return l, nil
}

// Port returns the port on which the link listens.
func (l *Link) Port() int { return l.listener.Addr().(*net.TCPAddr).Port }

// Traffic returns the traffic so far.
func (l *Link) Traffic() Traffic {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.traffic
}

// Close closes every connection and waits until they have ended.
func (l *Link) Close() {
	l.cancel()
	_ = l.listener.Close() // ends accept
	l.work.Wait()
}

func (l *Link) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return // closed
		}
		l.work.Go(func() { l.forward(client) })
	}
}

// forward forwards one connection until both sides have closed it or the link is
// closed.
func (l *Link) forward(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := (&net.Dialer{}).DialContext(l.ctx, "tcp", l.target)
	if err != nil {
		return // the client's connection is closed
	}
	defer func() { _ = server.Close() }()
	stop := context.AfterFunc(l.ctx, func() {
		_ = client.Close()
		_ = server.Close()
	})
	defer stop()
	c := l.newCounter()
	requests := direction{from: client, to: server, delay: l.roundTrip / 2, hold: l.roundTrip, received: c.clientSent, ended: c.clientEnded}
	responses := direction{from: server, to: client, delay: l.roundTrip / 2, received: c.serverSent}
	var both sync.WaitGroup
	both.Go(func() { requests.run(l.ctx) })
	both.Go(func() { responses.run(l.ctx) })
	both.Wait()
}

// counter counts the round trips of one connection. The link's mutex protects it.
type counter struct {
	link    *Link
	waiting bool // the client sent the last bytes
	ended   bool
}

func (l *Link) newCounter() *counter {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.traffic.Connections++
	l.traffic.RoundTrips++
	return &counter{link: l}
}

func (c *counter) clientSent() {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	c.waiting = true
}

func (c *counter) serverSent() {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	if c.waiting && !c.ended {
		c.link.traffic.RoundTrips++
	}
	c.waiting = false
}

func (c *counter) clientEnded() {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	c.ended = true
}
