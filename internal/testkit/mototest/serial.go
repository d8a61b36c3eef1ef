package mototest

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// serializer stands in front of moto and lets writes to DynamoDB run one at a
// time, and alone. DynamoDB's are isolated; moto 5.2's are not: it looks at a
// condition and writes without a lock, and a transaction that is cancelled puts
// back a copy of the table from before it, and with that takes away what others
// wrote in the meantime.
type serializer struct {
	writes   sync.RWMutex
	proxy    *httputil.ReverseProxy
	listener net.Listener
	server   *http.Server
	done     chan struct{}
}

func serialize(target string) (*serializer, error) {
	to, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &serializer{proxy: httputil.NewSingleHostReverseProxy(to), listener: listener, done: make(chan struct{})}
	s.proxy.ErrorLog = log.New(io.Discard, "", 0)                // the client is answered with it, and while moto starts there are many
	s.proxy.Transport = &http.Transport{DisableKeepAlives: true} // moto closes every connection anyway
	// It is asked before moto listens, which is nothing to tell of: who asks is
	// answered 502.
	s.proxy.ErrorLog = log.New(io.Discard, "", 0)
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(listener) // it ends when it is closed
	}()
	return s, nil
}

// ServeHTTP passes a request on, in its turn. A client that goes away does not
// end it: moto would go on with a write that the next one must wait for.
func (s *serializer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	service, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch {
	case !strings.HasPrefix(service, "DynamoDB"):
	case operation == "GetItem", operation == "Query", operation == "Scan":
		s.writes.RLock()
		defer s.writes.RUnlock()
	default:
		s.writes.Lock()
		defer s.writes.Unlock()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), time.Minute)
	defer cancel()
	s.proxy.ServeHTTP(w, r.WithContext(ctx))
}

func (s *serializer) url() string { return "http://" + s.listener.Addr().String() }

func (s *serializer) close() {
	_ = s.server.Close()
	<-s.done
}
