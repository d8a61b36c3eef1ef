package devserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/headgate/headgate/internal/apireference"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/httpapi"
	"github.com/headgate/headgate/internal/localstore"
	"github.com/headgate/headgate/internal/probe"
)

const (
	// recoverInterval is the pause between two searches for interrupted requests, and
	// recoverAge the age that those have.
	recoverInterval = 10 * time.Minute
	recoverAge      = 2 * database.Budget

	idleTimeout     = time.Minute
	shutdownTimeout = 5 * time.Second

	// sendTimeout is how long a client may take to receive a response.
	sendTimeout = 5 * time.Second

	// maxHeaderBytes is API Gateway's limit on all headers together.
	maxHeaderBytes = 10_240
)

// Server is the API over a local file, listening.
type Server struct {
	store    *localstore.Store
	listener net.Listener
	http     *http.Server
	done     chan error
	// stopChecks ends the checks of registered databases and waits for their end.
	stopChecks func()
	// stop ends the search for interrupted requests, and recovered is closed when it has
	// ended.
	stop      context.CancelFunc
	recovered chan struct{}
}

// Start opens the data file and serves on c.Address until Close. Where another
// process has the port or the file, the error names the variable that chooses
// another one.
func Start(c Config, log *slog.Logger) (*Server, error) {
	listener, listenErr := listen(c.Address)
	store, openErr := open(c.DataFile)
	if err := errors.Join(listenErr, openErr); err != nil {
		if listener != nil {
			err = errors.Join(err, listener.Close())
		}
		if store != nil {
			err = errors.Join(err, store.Close())
		}
		return nil, err
	}
	s := &Server{store: store, listener: listener, done: make(chan error, 1), recovered: make(chan struct{})}
	service := newService(c, store, log)
	s.http = &http.Server{
		Handler:        &hostCheck{next: newHandler(c, service, log), address: s.address(), log: log},
		ReadTimeout:    c.ReadTimeout,
		WriteTimeout:   c.ReadTimeout + database.Budget + sendTimeout,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		// "OPTIONS *" would be answered without the API's headers.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() {
		defer close(s.recovered)
		recoverRequests(ctx, service, log)
	}()
	go func() { s.done <- s.http.Serve(&refusingListener{listener, log}) }()
	s.stopChecks = startChecks(c, service, log)
	return s, nil
}

// startChecks checks the registered databases every c.CheckEvery until stop is called.
func startChecks(c Config, service *database.Service, log *slog.Logger) (stop func()) {
	if c.CheckEvery == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { (&checker{service: service, every: c.CheckEvery, log: log}).run(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

// recoverRequests undoes what interrupted requests have made on targets: at the start,
// when nobody else has the file, all of them, and later those that take too long.
func recoverRequests(ctx context.Context, service *database.Service, log *slog.Logger) {
	before := time.Now()
	for ticker := time.NewTicker(recoverInterval); ; {
		if err := service.Recover(ctx, before); err != nil && ctx.Err() == nil {
			log.Error("interrupted requests are not undone", "error", err)
		}
		select {
		case <-ctx.Done():
			ticker.Stop()
			return
		case now := <-ticker.C:
			before = now.Add(-recoverAge)
		}
	}
}

func listen(address netip.AddrPort) (net.Listener, error) {
	listener, err := net.Listen("tcp", address.String())
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("port %d is in use by another process: set PORT to another one (PORT=0 picks a free one)", address.Port())
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("LISTEN_ADDRESS is not an address of this machine: %s", address.Addr())
	case err != nil:
		return nil, fmt.Errorf("listen on PORT %d: %w", address.Port(), err)
	}
	return listener, nil
}

func open(path string) (*localstore.Store, error) {
	store, err := localstore.Open(path)
	switch {
	case errors.Is(err, localstore.ErrInUse):
		return nil, fmt.Errorf("the data file %s is in use by another process: set DATA_FILE to another one", path)
	case err != nil:
		return nil, fmt.Errorf("open DATA_FILE: %w", err)
	}
	return store, nil
}

// newService returns the service on the store. Health is stored with each check, because
// a write to the file costs nothing.
func newService(c Config, store *localstore.Store, log *slog.Logger) *database.Service {
	prober := probe.New(c.Egress)
	return &database.Service{
		Catalog: store.Catalog(), Vault: store.Vault(), Prober: prober, Maker: prober, References: store, Now: time.Now, Log: log,
		HealthProber: prober, HealthLimits: c.HealthLimits,
	}
}

func newHandler(c Config, service *database.Service, log *slog.Logger) *Handler {
	endpoints := httpapi.Databases{Service: service}.Endpoints()
	endpoints[httpapi.DescribeAPI], endpoints[httpapi.ShowReference] = httpapi.Describe("http"), apireference.Show()
	limitChecks(endpoints, maxChecks, checkWait)
	return &Handler{API: &httpapi.Handler{Endpoints: endpoints, Log: log, Now: time.Now}, Key: c.Key, Log: log}
}

// address returns the address that the server listens on, with its real port.
func (s *Server) address() netip.AddrPort {
	address := s.listener.Addr().(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(address.Addr().Unmap(), address.Port())
}

// URL returns the server's URL as seen from this machine, without a path.
func (s *Server) URL() string {
	address := s.address()
	if ip := address.Addr(); ip.IsUnspecified() {
		address = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), address.Port())
	}
	return "http://" + address.String()
}

// Close waits up to 5 seconds for requests in progress, then ends the server and
// closes the data file.
func (s *Server) Close() error {
	s.stop()
	<-s.recovered
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	s.stopChecks()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		// Shutdown also waits for connections on which no request was sent yet.
		err = s.http.Close()
	}
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return errors.Join(err, s.store.Close())
}
