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

// serializer is a proxy in front of moto that runs each write to DynamoDB alone.
// DynamoDB isolates writes. moto 5.2 does not: it checks a condition and writes
// without a lock, and a cancelled transaction restores a copy of the table, which
// undoes what others wrote in the meantime.
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
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &serializer{proxy: httputil.NewSingleHostReverseProxy(to), listener: listener, done: make(chan struct{})}
	s.proxy.Transport = &http.Transport{DisableKeepAlives: true} // moto closes every connection anyway
	// Requests before moto listens get 502; they are not logged.
	s.proxy.ErrorLog = log.New(io.Discard, "", 0)
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(listener) // returns when close closes the server
	}()
	return s, nil
}

// ServeHTTP forwards a request when it is its turn. The request continues when
// the client leaves, because moto would finish the write and the next one must
// wait for it.
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
