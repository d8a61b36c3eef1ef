package awsenv

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// A call as a whole is bounded by its context.
const (
	dialTimeout      = 3 * time.Second
	handshakeTimeout = 3 * time.Second
)

// dialer opens connections to AWS, some of them before a call needs them.
type dialer struct {
	// tls reads and parses the roots, which takes a millisecond of a cold start. It is
	// called while the first connection is opened.
	tls func() (*tls.Config, error)

	mu           sync.Mutex
	open         map[string]int           // number of connections by address
	preconnected map[string]*preconnected // by address
}

// preconnected is a connection that no call has asked for yet.
type preconnected struct {
	done chan struct{} // closed once conn or err is set
	conn net.Conn
	err  error
}

func newDialer(config func() (*tls.Config, error)) *dialer {
	return &dialer{tls: sync.OnceValues(config), open: map[string]int{}, preconnected: map[string]*preconnected{}}
}

// dial is http.Transport's DialContext.
func (d *dialer) dial(ctx context.Context, _, address string) (net.Conn, error) {
	return d.take(ctx, address, false)
}

// dialTLS is http.Transport's DialTLSContext.
func (d *dialer) dialTLS(ctx context.Context, _, address string) (net.Conn, error) {
	return d.take(ctx, address, true)
}

// take returns the preconnected connection, or opens one.
func (d *dialer) take(ctx context.Context, address string, secure bool) (net.Conn, error) {
	d.mu.Lock()
	p := d.preconnected[address]
	delete(d.preconnected, address)
	d.mu.Unlock()
	if p == nil {
		return d.connect(ctx, address, secure)
	}
	<-p.done // bounded by the timeouts above
	if p.err != nil {
		return d.connect(ctx, address, secure)
	}
	return p.conn, nil
}

// preconnect opens a connection to an address that has none, and keeps it until
// ctx ends.
func (d *dialer) preconnect(ctx context.Context, address string, secure bool) {
	p := &preconnected{done: make(chan struct{})}
	d.mu.Lock()
	if d.open[address] > 0 || d.preconnected[address] != nil {
		d.mu.Unlock()
		return
	}
	d.preconnected[address] = p
	d.mu.Unlock()
	p.conn, p.err = d.connect(ctx, address, secure)
	close(p.done)
	if p.err == nil {
		<-ctx.Done()
	}
	if d.withdraw(address, p) && p.err == nil {
		_ = p.conn.Close() // nothing was sent on it
	}
}

// withdraw removes a preconnected connection and reports whether no call took it.
func (d *dialer) withdraw(address string, p *preconnected) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	unused := d.preconnected[address] == p
	if unused {
		delete(d.preconnected, address)
	}
	return unused
}

func (d *dialer) connect(ctx context.Context, address string, secure bool) (net.Conn, error) {
	conn, err := d.connectTCP(ctx, address, secure)
	if err != nil {
		return nil, err
	}
	if secure {
		if conn, err = d.handshake(ctx, conn, address); err != nil {
			return nil, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[address]++
	return &countedConn{Conn: conn, closed: sync.OnceFunc(func() { d.closed(address) })}, nil
}

// connectTCP parses the roots while it waits for the other end.
func (d *dialer) connectTCP(ctx context.Context, address string, secure bool) (net.Conn, error) {
	if secure {
		var parsing sync.WaitGroup
		defer parsing.Wait()
		parsing.Go(func() { _, _ = d.tls() }) // the handshake returns the error
	}
	return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", address)
}

func (d *dialer) handshake(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	config, err := d.tls()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	config = config.Clone()
	config.ServerName = host
	secure := tls.Client(conn, config)
	if err = secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secure, nil
}

func (d *dialer) closed(address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[address]--
}

// countedConn is a connection that is counted in dialer.open.
type countedConn struct {
	net.Conn
	closed func()
}

// Close closes the connection and removes it from the count.
func (c *countedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}
