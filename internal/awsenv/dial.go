package awsenv

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// The time that the steps of a connection may take; a call as a whole is bounded
// by its context.
const dialTime, handshakeTime = 3 * time.Second, 3 * time.Second

// dialer makes the connections to AWS. One can be made before a call asks for it.
type dialer struct {
	// tls parses the authorities: it takes a millisecond of a cold start, and is
	// called when a connection is on its way.
	tls func() *tls.Config

	mu    sync.Mutex
	open  map[string]int    // connections by address
	ahead map[string]*early // by address
}

// early is a connection that is made before it is asked for.
type early struct {
	made chan struct{} // closed when it is made, or could not be
	conn net.Conn
	err  error
}

func newDialer(config func() *tls.Config) *dialer {
	return &dialer{tls: sync.OnceValue(config), open: map[string]int{}, ahead: map[string]*early{}}
}

// dial is http.Transport's DialContext, dialTLS its DialTLSContext.
func (d *dialer) dial(ctx context.Context, _, address string) (net.Conn, error) {
	return d.take(ctx, address, false)
}

func (d *dialer) dialTLS(ctx context.Context, _, address string) (net.Conn, error) {
	return d.take(ctx, address, true)
}

// take gives the connection that was made ahead, or makes one.
func (d *dialer) take(ctx context.Context, address string, secure bool) (net.Conn, error) {
	d.mu.Lock()
	e := d.ahead[address]
	delete(d.ahead, address)
	d.mu.Unlock()
	if e == nil {
		return d.connect(ctx, address, secure)
	}
	<-e.made // within the time that a connection may take
	if e.err != nil {
		return d.connect(ctx, address, secure)
	}
	return e.conn, nil
}

// connectAhead makes a connection to an address that there is none to, and keeps
// it at hand until ctx ends. What fails is left to the call that asks for it.
func (d *dialer) connectAhead(ctx context.Context, address string, secure bool) {
	e := &early{made: make(chan struct{})}
	d.mu.Lock()
	if d.open[address] > 0 || d.ahead[address] != nil {
		d.mu.Unlock()
		return
	}
	d.ahead[address] = e
	d.mu.Unlock()
	e.conn, e.err = d.connect(ctx, address, secure)
	close(e.made)
	if e.err == nil {
		<-ctx.Done()
	}
	if d.withdraw(address, e) && e.err == nil {
		_ = e.conn.Close() // nothing was sent on it, and nobody waits to hear of it
	}
}

// withdraw takes back what was made ahead, and tells whether nobody had it.
func (d *dialer) withdraw(address string, e *early) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	unused := d.ahead[address] == e
	if unused {
		delete(d.ahead, address)
	}
	return unused
}

// connect makes a connection, over TLS where it is to be secure.
func (d *dialer) connect(ctx context.Context, address string, secure bool) (net.Conn, error) {
	conn, err := d.reach(ctx, address, secure)
	if err != nil {
		return nil, err
	}
	if secure {
		if conn, err = handshake(ctx, conn, address, d.tls()); err != nil {
			return nil, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[address]++
	return &counted{Conn: conn, closed: sync.OnceFunc(func() { d.close(address) })}, nil
}

// reach makes a TCP connection. While the other end is waited for there is time
// to parse what the handshake needs.
func (d *dialer) reach(ctx context.Context, address string, secure bool) (net.Conn, error) {
	if secure {
		var parsing sync.WaitGroup
		defer parsing.Wait()
		parsing.Go(func() { d.tls() })
	}
	return (&net.Dialer{Timeout: dialTime}).DialContext(ctx, "tcp", address)
}

func handshake(ctx context.Context, conn net.Conn, address string, config *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	host, _, err := net.SplitHostPort(address)
	if err == nil {
		config = config.Clone()
		config.ServerName = host
		secure := tls.Client(conn, config)
		if err = secure.HandshakeContext(ctx); err == nil {
			return secure, nil
		}
	}
	return nil, errors.Join(err, conn.Close())
}

func (d *dialer) close(address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[address]--
}

// counted is a connection whose end is noted.
type counted struct {
	net.Conn
	closed func()
}

func (c *counted) Close() error {
	c.closed()
	return c.Conn.Close()
}
