package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/headgate/headgate/internal/check"
)

const (
	// dialTime bounds the wait for one address to take a TCP connection.
	dialTime = 5 * time.Second
	// mostBytes bounds what one session reads from a target, so that a flood
	// ends: an honest server's answers are some kilobytes.
	mostBytes = 2 << 20
)

// errFlood is what reading gives after mostBytes.
var errFlood = errors.New("the server sent more than it was asked for")

// wire is a connection to a target, bounded in time by its context and in
// bytes by mostBytes. It ends reads and writes when ctx does.
type wire struct {
	net.Conn
	left int
	stop func() bool
}

func newWire(ctx context.Context, c net.Conn) (*wire, error) {
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	w := &wire{Conn: c, left: mostBytes}
	w.stop = context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	return w, nil
}

func (w *wire) Read(p []byte) (int, error) {
	if w.left <= 0 {
		return 0, errFlood
	}
	n, err := w.Conn.Read(p[:min(len(p), w.left)])
	w.left -= n
	return n, err
}

func (w *wire) Close() error {
	w.stop()
	return w.Conn.Close()
}

// dial opens a TCP connection to the first of addrs that takes one.
func (p *Prober) dial(ctx context.Context, addrs []netip.AddrPort) (*wire, *check.Entry) {
	var err error
	for i, a := range addrs {
		var c net.Conn
		if c, err = p.dialOne(ctx, a, len(addrs)-i); err == nil {
			var w *wire
			if w, err = newWire(ctx, c); err == nil {
				return w, nil
			}
			err = errors.Join(err, c.Close())
		}
	}
	return nil, dialFailure(addrs[len(addrs)-1], err)
}

func (p *Prober) dialOne(ctx context.Context, a netip.AddrPort, left int) (net.Conn, error) {
	limit := dialTime
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline)/time.Duration(left))
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return p.Dialer.DialContext(ctx, "tcp", a.String())
}

func dialFailure(a netip.AddrPort, err error) *check.Entry {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return failed(check.Connection, check.ConnectionRefused,
			"nothing listens at "+a.String()+": it refused the connection", "check hostname and port, and listen_addresses on the server")
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		return failed(check.Connection, check.NetworkUnreachable,
			"there is no route to "+a.String()+" from here"+ipv6Hint(a), "")
	case isTimeout(err):
		return failed(check.Connection, check.ConnectionTimeout,
			a.String()+" did not answer in time", "let this service's addresses through the firewall or security group in front of the server")
	}
	return failed(check.Connection, check.ConnectionLost, "the connection to "+a.String()+" could not be made", "")
}

func ipv6Hint(a netip.AddrPort) string {
	if a.Addr().Is6() {
		return "; IPv6 needs a deployment in a dual-stack VPC"
	}
	return ""
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// silence is what a failed read or write means: a server that never said a word
// timed out, one that fell silent or closed was lost.
func silence(err error, spoke bool) *check.Entry {
	switch {
	case isTimeout(err) && !spoke:
		return failed(check.Connection, check.ConnectionTimeout,
			"the server took the connection and then did not answer in time", "check that hostname and port are those of a Postgres server")
	case isTimeout(err):
		return failed(check.Connection, check.ConnectionLost, "the server fell silent", "")
	case errors.Is(err, errFlood):
		return failed(check.Connection, check.ConnectionLost, "the server sent far more than it was asked for", "")
	case isClosed(err):
		return failed(check.Connection, check.ConnectionLost, "the server closed the connection", "")
	}
	return failed(check.Connection, check.ConnectionLost, "the server left Postgres's protocol", "")
}

func notPostgres() *check.Entry {
	return failed(check.Connection, check.NotPostgres,
		"what answers there does not speak Postgres's protocol", "check that hostname and port are those of a Postgres server")
}
