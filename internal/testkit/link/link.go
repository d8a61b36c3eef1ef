// Package link puts distance between two programs on one machine: a proxy whose
// connections take a given time for each round trip, and which counts them.
package link

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// Link passes TCP connections on to a server as over a long line. Each
// direction's bytes arrive half a round trip after they were sent, as fast as
// they were sent. Its methods may be called from several goroutines at once.
//
// The kernel takes a connection at once, which on a real line costs a round trip
// before the client can say anything. So the client's first bytes, and what
// follows them, are held for one round trip more, and that counts as one.
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

// Traffic is what went over a link.
type Traffic struct {
	Connections int
	// RoundTrips are the waits of the clients: one for each connection, and one
	// for each time that the server spoke after the client had. What a client says
	// before it hangs up is not waited for. Two writes that go out together count as
	// one wait where the link's round trip is longer than the time between them: on
	// a link of no length, an answer to the first may come between.
	RoundTrips int
}

// Minus is what was added since earlier.
func (t Traffic) Minus(earlier Traffic) Traffic {
	return Traffic{t.Connections - earlier.Connections, t.RoundTrips - earlier.RoundTrips}
}

// Open makes a link to the server at target (host:port) that listens on a port
// of 127.0.0.1.
func Open(target string, roundTrip time.Duration) (*Link, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("opening a link: %w", err)
	}
	l := &Link{listener: listener, target: target, roundTrip: roundTrip}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.work.Go(l.accept)
	return l, nil
}

// Port is the port of 127.0.0.1 at which the link is entered.
func (l *Link) Port() int { return l.listener.Addr().(*net.TCPAddr).Port }

// Traffic is what went over the link so far.
func (l *Link) Traffic() Traffic {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.traffic
}

// Close cuts every connection, and returns when nothing is left of the link.
func (l *Link) Close() {
	l.cancel()
	_ = l.listener.Close() // it only ends the wait for more
	l.work.Wait()
}

func (l *Link) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return // it was closed
		}
		l.work.Go(func() { l.carry(client) })
	}
}

// carry passes one connection on, until both sides have hung up or one is cut.
func (l *Link) carry(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := (&net.Dialer{}).DialContext(l.ctx, "tcp", l.target)
	if err != nil {
		return // the client sees its connection end
	}
	defer func() { _ = server.Close() }()
	stop := context.AfterFunc(l.ctx, func() {
		_ = client.Close()
		_ = server.Close()
	})
	defer stop()
	t := l.newTally()
	there := direction{from: client, to: server, delay: l.roundTrip / 2, hold: l.roundTrip, heard: t.clientSpoke, ended: t.clientLeft}
	back := direction{from: server, to: client, delay: l.roundTrip / 2, heard: t.serverSpoke}
	var both sync.WaitGroup
	both.Go(func() { there.run(l.ctx) })
	both.Go(func() { back.run(l.ctx) })
	both.Wait()
}

// tally counts the round trips of one connection.
type tally struct {
	link    *Link
	waiting bool // the client spoke last
	left    bool
}

func (l *Link) newTally() *tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.traffic.Connections++
	l.traffic.RoundTrips++
	return &tally{link: l}
}

func (t *tally) clientSpoke() {
	t.link.mu.Lock()
	defer t.link.mu.Unlock()
	t.waiting = true
}

func (t *tally) serverSpoke() {
	t.link.mu.Lock()
	defer t.link.mu.Unlock()
	if t.waiting && !t.left {
		t.link.traffic.RoundTrips++
	}
	t.waiting = false
}

func (t *tally) clientLeft() {
	t.link.mu.Lock()
	defer t.link.mu.Unlock()
	t.left = true
}
