// Package pgserver runs throwaway Postgres servers, for tests and as the sample
// source of the development server. A server listens on loopback, has its data in
// a temporary directory, and ends with the process that started it.
package pgserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/headgate/headgate/internal/testkit/certificates"
	"github.com/headgate/headgate/internal/testkit/localrun"
)

const (
	startTimeout   = time.Minute
	fastGrace      = 15 * time.Second
	immediateGrace = 5 * time.Second
	pollInterval   = 10 * time.Millisecond
	startTries     = 5

	superuserDatabase = "postgres"
)

// Server is a running Postgres server. Its methods are safe for concurrent use,
// except Restart and Stop.
type Server struct {
	options   Options
	owner     account
	directory string
	password  string
	port      int
	rootPEM   []byte

	mu      sync.Mutex
	process *localrun.Process
}

// Start creates a server and returns once it accepts connections. If it fails,
// the error has the end of the server's log. The end of ctx ends the wait and not
// the server: every started server needs a Stop.
func Start(ctx context.Context, options Options) (*Server, error) {
	server, err := prepare(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("start Postgres: %w", err)
	}
	err = createCluster(ctx, server.owner, server.options.Installation, server.data())
	if err == nil {
		err = server.begin(ctx)
	}
	if err == nil {
		_, err = server.Exec(ctx, superuserDatabase, "ALTER ROLE postgres PASSWORD "+quoteLiteral(server.password))
	}
	if err != nil {
		return nil, server.abandon(err)
	}
	return server, nil
}

// prepare creates the server's directory.
func prepare(ctx context.Context, options Options) (*Server, error) {
	options = options.withDefaults()
	if options.Installation.BinDir == "" {
		installation, err := FindOrInstall(ctx)
		if err != nil {
			return nil, err
		}
		options.Installation = installation
	}
	owner, err := serverAccount()
	if err != nil {
		return nil, err
	}
	parent := owner.serverParent()
	sweep(parent)
	directory, err := os.MkdirTemp(parent, directoryPrefix)
	if err != nil {
		return nil, fmt.Errorf("create server directory: %w", err)
	}
	server := &Server{options: options, owner: owner, directory: directory, password: rand.Text()}
	if err := owner.own(directory); err != nil {
		return nil, server.abandon(err)
	}
	return server, nil
}

// begin writes the configuration and starts the server. It tries another port if
// another process took the first one.
func (s *Server) begin(ctx context.Context) error {
	if err := s.certify(); err != nil {
		return err
	}
	if err := s.write("pg_hba.conf", []byte(hba(s.options.HBA))); err != nil {
		return err
	}
	var err error
	for range startTries {
		if s.port, err = localrun.FreePort(); err != nil {
			return err
		}
		listen := "127.0.0.1"
		if localrun.HasIPv6() {
			listen += ",::1"
		}
		text := configuration(s.options.settings(listen, s.directory, s.port))
		if err = s.write("postgresql.conf", []byte(text)); err != nil {
			return err
		}
		if err = s.spawn(ctx); !errors.Is(err, localrun.ErrEnded) || localrun.PortFree(s.port) {
			return err
		}
	}
	return err
}

// certify writes the server's certificate, unless it has no TLS.
func (s *Server) certify() error {
	if s.options.NoTLS {
		return nil
	}
	chain := s.options.Certificates
	if chain.Certificate == nil {
		var err error
		if chain, err = certificates.New(certificates.Options{}); err != nil {
			return err
		}
	}
	s.rootPEM = chain.Authority
	return errors.Join(s.write("root.crt", chain.Authority), s.write("server.crt", chain.Certificate), s.write("server.key", chain.Key))
}

func (s *Server) data() string    { return filepath.Join(s.directory, "data") }
func (s *Server) logPath() string { return filepath.Join(s.directory, "log") }

// write writes a file of the data directory that only the server's user can read.
func (s *Server) write(name string, content []byte) error {
	path := filepath.Join(s.data(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return fmt.Errorf("write %s of the server: %w", name, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("protect %s of the server: %w", name, err)
	}
	return s.owner.own(path)
}

// spawn starts the process and returns once it accepts connections. The log is a
// file and not a pipe, because the server's own children may outlive it.
func (s *Server) spawn(ctx context.Context) error {
	log, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open server log: %w", err)
	}
	defer func() { _ = log.Close() }()
	arguments := append([]string{"-D", s.data()}, s.options.Arguments...)
	cmd := s.owner.command(s.directory, filepath.Join(s.options.Installation.BinDir, "postgres"), arguments...)
	cmd.Stdout, cmd.Stderr = log, log
	// SIGQUIT is the immediate shutdown, which ends the server's children too.
	process, err := localrun.Start(cmd, syscall.SIGQUIT)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.process = process
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return process.Await(ctx, pollInterval, func(ctx context.Context) error {
		_, err := s.Exec(ctx, superuserDatabase, "SELECT 1")
		return err
	})
}

// abandon stops a server that did not start and adds its log to the error.
func (s *Server) abandon(err error) error {
	err = s.withLog(err)
	s.Stop()
	return fmt.Errorf("start Postgres: %w", err)
}

func (s *Server) withLog(err error) error {
	if log := localrun.Tail(s.Log()); log != "" {
		return fmt.Errorf("%w\nserver log:\n%s", err, log)
	}
	return err
}

// Restart shuts the server down cleanly and starts it again on the same port. It
// ends all sessions.
func (s *Server) Restart(ctx context.Context) error {
	if process := s.release(); process != nil {
		// A fast shutdown waits until every standby has received the WAL, even one
		// that is stopped. After fastGrace an immediate shutdown follows.
		_ = process.Signal(syscall.SIGINT) // if it fails, Stop follows
		select {
		case <-process.Done():
		case <-time.After(fastGrace):
			process.Stop(syscall.SIGQUIT, immediateGrace)
		}
	}
	if err := s.spawn(ctx); err != nil {
		return fmt.Errorf("restart Postgres: %w", s.withLog(err))
	}
	return nil
}

// Stop ends the server at once and removes its data. It may be called more than
// once.
func (s *Server) Stop() {
	if process := s.release(); process != nil {
		process.Stop(syscall.SIGQUIT, immediateGrace)
	}
	_ = os.RemoveAll(s.directory) // a later Start removes what remains
}

// release returns the process, or nil if another call has released it.
func (s *Server) release() *localrun.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	process := s.process
	s.process = nil
	return process
}
