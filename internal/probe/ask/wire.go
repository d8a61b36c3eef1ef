package ask

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// maxBytes bounds what one session reads from a server, in bytes: an honest
// server's answers are some kilobytes.
const maxBytes = 2 << 20

// wire is a connection to a server. It ends reads and writes when its context
// ends, and reads after maxBytes.
type wire struct {
	net.Conn

	// left is how much may still be read. pgconn reads in the background while it closes a
	// connection that failed.
	left atomic.Int64
	stop func() bool
}

func newWire(ctx context.Context, c net.Conn) (*wire, error) {
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	w := &wire{Conn: c}
	w.left.Store(maxBytes)
	w.stop = context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	return w, nil
}

// readUntil ends reads at t, or when ctx ends.
func (w *wire) readUntil(ctx context.Context, t time.Time) {
	_ = w.SetReadDeadline(t) // it fails on a closed connection only, on which reads fail too
	if ctx.Err() != nil {    // the deadline that stop set was just replaced
		_ = w.SetReadDeadline(time.Unix(1, 0)) // as above
	}
}

func (w *wire) Read(p []byte) (int, error) {
	left := w.left.Load()
	if left <= 0 {
		return 0, errFlood
	}
	n, err := w.Conn.Read(p[:min(int64(len(p)), left)])
	w.left.Add(int64(-n))
	if errors.Is(err, os.ErrDeadlineExceeded) && w.unread() {
		err = unreadError{}
	}
	return n, err
}

// unread reports whether the server's answer is there although a deadline has passed:
// this process was too busy to read it. It looks without a read, which would fail.
func (w *wire) unread() bool {
	conn, ok := w.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	var n int
	err = raw.Control(func(fd uintptr) {
		n, _, _ = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	})
	return err == nil && n > 0
}

func (w *wire) Close() error {
	w.stop()
	return w.Conn.Close()
}
