package link

import (
	"context"
	"net"
	"time"
)

// direction is one direction of a connection.
type direction struct {
	from, to net.Conn
	delay    time.Duration // of every byte
	hold     time.Duration // of the first bytes, in addition
	received func()        // called when bytes arrive
	ended    func()        // called at the end of the bytes, unless it is nil
}

// packet has bytes in transit and the time of their arrival. Without bytes it is
// the end.
type packet struct {
	data []byte
	due  time.Time
}

const (
	packetSize = 32 << 10
	// maxInTransit is how many packets are in transit at once: more than anybody
	// sends within a round trip.
	maxInTransit = 1024
)

// run forwards bytes until they end. It reads while packets are in transit, so
// that a delay does not limit the bandwidth.
func (d direction) run(ctx context.Context) {
	packets := make(chan packet, maxInTransit)
	go d.read(packets)
	for p := range packets {
		if !d.deliver(ctx, p) {
			_ = d.from.Close() // ends read
			_ = d.to.Close()
			break
		}
	}
	for range packets { // until read has ended
	}
}

// deliver waits until a packet is due and writes it. It reports whether the
// connection is intact.
func (d direction) deliver(ctx context.Context, p packet) bool {
	if !sleepUntil(ctx, p.due) {
		return false
	}
	if len(p.data) == 0 {
		// The other direction remains open.
		if half, ok := d.to.(*net.TCPConn); ok {
			_ = half.CloseWrite()
		}
		return true
	}
	_, err := d.to.Write(p.data)
	return err == nil
}

func (d direction) read(packets chan<- packet) {
	defer close(packets)
	delay := d.delay + d.hold
	var last time.Time
	for {
		data := make([]byte, packetSize)
		n, err := d.from.Read(data)
		if due := time.Now().Add(delay); due.After(last) { // bytes must not overtake others
			last = due
		}
		if n > 0 {
			d.received()
			delay = d.delay
			packets <- packet{data[:n], last}
		}
		if err != nil {
			if d.ended != nil {
				d.ended()
			}
			packets <- packet{due: last}
			return
		}
	}
}

// sleepUntil reports whether ctx lasted until then.
func sleepUntil(ctx context.Context, due time.Time) bool {
	wait := time.Until(due)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	select {
	case <-time.After(wait):
		return true
	case <-ctx.Done():
		return false
	}
}
