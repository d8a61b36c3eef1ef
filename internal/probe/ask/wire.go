package ask

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// maxBytes bounds what one session reads from a server, in bytes: an honest
// server's answers are some kilobytes.
const maxBytes = 2 << 20

// wire is a connection to a server. It ends reads and writes when its context
// ends, and reads after maxBytes.
type wire struct {
	net.Conn

	left int
	stop func() bool

	mu   sync.Mutex
	over bool // a deadline has passed, and the context's end changes nothing any more
}

func newWire(ctx context.Context, c net.Conn) (*wire, error) {
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	w := &wire{Conn: c, left: maxBytes}
	w.stop = context.AfterFunc(ctx, w.interrupt)
	return w, nil
}

// interrupt ends reads and writes.
func (w *wire) interrupt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		_ = w.SetDeadline(time.Unix(1, 0)) // fails only for a closed connection
	}
}

// readUntil ends reads at t, or when ctx ends.
func (w *wire) readUntil(ctx context.Context, t time.Time) {
	_ = w.SetReadDeadline(t) // it fails on a closed connection only, on which reads fail too
	if ctx.Err() != nil {    // the deadline that stop set was just replaced
		_ = w.SetReadDeadline(time.Unix(1, 0)) // as above
	}
}

func (w *wire) Read(p []byte) (int, error) {
	if w.left <= 0 {
		return 0, errFlood
	}
	n, err := w.Conn.Read(p[:min(len(p), w.left)])
	w.left -= n
	if errors.Is(err, os.ErrDeadlineExceeded) && w.unread() {
		err = errUnread
	}
	return n, err
}

// unread reports whether the server's answer was there when the deadline passed: this
// process was too busy to read it. It may be lost, as the connection is.
func (w *wire) unread() bool {
	const grace = 50 * time.Millisecond // a deadline that has passed fails every read
	w.mu.Lock()
	w.over = true
	err := w.SetReadDeadline(time.Now().Add(grace))
	w.mu.Unlock()
	if err != nil {
		return false
	}
	n, _ := w.Conn.Read(make([]byte, 1))
	return n > 0
}

func (w *wire) Close() error {
	w.stop()
	return w.Conn.Close()
}
