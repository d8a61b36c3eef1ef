package devserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/httpapi"
	"github.com/headgate/headgate/internal/httpapi/describe"
	"github.com/headgate/headgate/internal/localstore"
	"github.com/headgate/headgate/internal/probe"
)

// shutdownTime is what requests under way have to end in.
const shutdownTime = 5 * time.Second

// Server is the API over an embedded store, listening.
type Server struct {
	store    *localstore.Store
	listener net.Listener
	http     *http.Server
	done     chan error
}

// Start opens the store and serves on loopback, until Close.
func Start(c Config, log *slog.Logger) (*Server, error) {
	store, err := localstore.Open(c.DataFile)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", c.Port))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("PORT %d can't be listened on: %w", c.Port, err), store.Close())
	}
	service := &database.Service{
		Catalog: store.Catalog(), Vault: store.Vault(), Prober: probe.New(c.Egress), References: store, Now: time.Now, Log: log,
	}
	endpoints := httpapi.Databases{Service: service}.Endpoints()
	endpoints[httpapi.DescribeAPI] = describe.Endpoint()
	s := &Server{store: store, listener: listener, done: make(chan error, 1)}
	s.http = &http.Server{
		Handler: &Handler{
			Key: c.Key, Log: log,
			API: &httpapi.Handler{Endpoints: endpoints, Log: log, Now: time.Now},
		},
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: httpapi.Budget + 20*time.Second,
	}
	go func() { s.done <- s.http.Serve(listener) }()
	return s, nil
}

// URL is where the server is.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Close ends the server, once the requests under way have ended, and the store.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return errors.Join(err, s.store.Close())
}
