package link

import (
	"context"
	"net"
	"time"
)

// direction is one way of a connection.
type direction struct {
	from, to net.Conn
	delay    time.Duration // of every byte
	hold     time.Duration // of the first bytes, beside that
	heard    func()        // called when there are bytes
	ended    func()        // called when there will be no more; may be nil
}

// packet is bytes under way, and when they arrive. One without bytes is the end.
type packet struct {
	data []byte
	due  time.Time
}

const (
	packetSize = 32 << 10
	// underWay is how much may be between the two ends, in packets: more than
	// anybody sends within a round trip.
	underWay = 1024
)

// run passes on what comes until it ends. Reading does not wait for what is under
// way, so that a delay does not make the line narrower.
func (d direction) run(ctx context.Context) {
	packets := make(chan packet, underWay)
	go d.read(packets)
	for p := range packets {
		if !d.deliver(ctx, p) {
			// The line is broken, which ends the reading too.
			_ = d.from.Close()
			_ = d.to.Close()
			break
		}
	}
	for range packets { // until read has ended
	}
}

func (d direction) deliver(ctx context.Context, p packet) bool {
	if !sleepUntil(ctx, p.due) {
		return false
	}
	if len(p.data) == 0 {
		// Whoever is there hears that no more comes, and may still speak.
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
		if due := time.Now().Add(delay); due.After(last) { // what was sent first arrives first
			last = due
		}
		if n > 0 {
			d.heard()
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

func sleepUntil(ctx context.Context, due time.Time) bool {
	wait := time.Until(due)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
