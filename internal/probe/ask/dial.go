package ask

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/requestlog"
)

// dialTimeout bounds the wait for one address to accept a TCP connection.
const dialTimeout = 5 * time.Second

// dial opens a TCP connection to the first of addrs that accepts one.
func (c *Client) dial(ctx context.Context, addrs []netip.AddrPort) (*wire, *facts.Failure) {
	err := ctx.Err()
	if err != nil {
		return nil, &facts.Failure{Kind: facts.OutOfTime}
	}
	for i, a := range addrs {
		var conn net.Conn
		if conn, err = c.dialOne(ctx, a, len(addrs)-i); err == nil {
			var w *wire
			if w, err = newWire(ctx, conn); err == nil {
				return w, nil
			}
			err = errors.Join(err, conn.Close())
		}
		requestlog.AddAddress(ctx, a.String())
	}
	return nil, dialFailure(addrs[len(addrs)-1], err)
}

// dialOne dials a, which may take its share of the time for the addresses that are
// left.
func (c *Client) dialOne(ctx context.Context, a netip.AddrPort, left int) (net.Conn, error) {
	limit := dialTimeout
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline)/time.Duration(left))
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return c.Dialer.DialContext(ctx, "tcp", a.String())
}

func dialFailure(a netip.AddrPort, err error) *facts.Failure {
	failure := facts.Failure{Kind: facts.DialFailed, IPv6: a.Addr().Is6()}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		failure.Kind = facts.DialRefused
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		failure.Kind = facts.DialUnreachable
	case isTimeout(err):
		failure.Kind = facts.DialTimedOut
	}
	return &failure
}
