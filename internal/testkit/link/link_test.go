package link_test

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/testkit/link"
)

// serve starts a server that handles every connection with handle, and returns its
// address.
func serve(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer func() { _ = c.Close() }()
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		work.Wait()
	})
	return listener.Addr().String()
}

func echo(c net.Conn) { _, _ = io.Copy(c, c) }

// open opens a link to a server with handle. It is closed before the server.
func open(t *testing.T, roundTrip time.Duration, handle func(net.Conn)) *link.Link {
	t.Helper()
	l, err := link.Open(serve(t, handle), roundTrip)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func dial(t *testing.T, l *link.Link) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(l.Port())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func exchange(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	response := make([]byte, len(text))
	if _, err := io.ReadFull(c, response); err != nil {
		t.Fatal(err)
	}
	if string(response) != text {
		t.Errorf("response %q, want %q", response, text)
	}
}

func TestLink_RoundTrips(t *testing.T) {
	t.Parallel()
	const roundTrip = 40 * time.Millisecond
	l := open(t, roundTrip, echo)
	began := time.Now()
	c := dial(t, l)
	for n := range 4 {
		exchange(t, c, "request "+strconv.Itoa(n))
		// The connection itself takes one.
		if took, want := time.Since(began), time.Duration(n+2)*roundTrip; took < want {
			t.Errorf("%d requests took %s, want at least %s", n+1, took, want)
		}
		if got, want := l.Traffic(), (link.Traffic{Connections: 1, RoundTrips: n + 2}); got != want {
			t.Errorf("after %d requests the traffic is %+v, want %+v", n+1, got, want)
		}
	}
	before := l.Traffic()
	exchange(t, dial(t, l), "another")
	if got, want := l.Traffic().Minus(before), (link.Traffic{Connections: 1, RoundTrips: 2}); got != want {
		t.Errorf("another connection added %+v, want %+v", got, want)
	}
}

func TestLink_Bandwidth(t *testing.T) {
	t.Parallel()
	const roundTrip, limit = 100 * time.Millisecond, 3 * time.Second
	l := open(t, roundTrip, echo)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 256<<10)
	began := time.Now()
	c := dial(t, l)
	go func() {
		_, _ = c.Write(sent)
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("received %d bytes, want the %d that were sent: %v", len(got), len(sent), err)
	}
	// One packet for each round trip would take more than 12 seconds.
	if took := time.Since(began); took < 2*roundTrip || took > limit {
		t.Errorf("4 MiB took %s, want %s to %s", took, 2*roundTrip, limit)
	}
}

func TestLink_LastBytes(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	l := open(t, 20*time.Millisecond, func(c net.Conn) {
		defer close(done)
		_, _ = io.Copy(c, io.LimitReader(c, 5))
		_, _ = io.ReadAll(c)
		_, _ = io.WriteString(c, "goodbye to you")
	})
	c := dial(t, l)
	exchange(t, c, "hello")
	if _, err := io.WriteString(c, "goodbye"); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(c); err != nil || string(rest) != "goodbye to you" {
		t.Errorf("received %q, %v", rest, err)
	}
	<-done
	if got, want := l.Traffic(), (link.Traffic{Connections: 1, RoundTrips: 2}); got != want {
		t.Errorf("traffic %+v, want %+v", got, want)
	}
}

func TestLink_Close(t *testing.T) {
	t.Parallel()
	l := open(t, time.Hour, echo)
	c := dial(t, l)
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes came through a closed link", n)
	}
}

func TestLink_NoServer(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := link.Open(address, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	if n, err := dial(t, l).Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes came without a server", n)
	}
}
