// Package pgserver runs real Postgres servers that are thrown away after use:
// for tests, and as the sample source of the development server. A server
// listens on loopback, keeps its data in a temporary directory and dies with
// the process that started it.
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

	"github.com/headgate/headgate/internal/testkit/localrun"
)

const (
	startDeadline  = time.Minute
	stopPatience   = 15 * time.Second
	shortPatience  = 5 * time.Second
	readyPoll      = 10 * time.Millisecond
	startTries     = 5
	logTail        = 4000
	databaseOfRoot = "postgres"
)

// Server is a running Postgres server. Its methods may be called from several
// goroutines at once, except that Restart and Stop are not for use beside
// others.
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

// Start makes a new server and returns once it answers. The end of ctx ends
// the wait, not the server: that is what Stop is for, which every started
// server needs. On failure the error carries the end of the server's log.
func Start(ctx context.Context, options Options) (*Server, error) {
	server, err := prepare(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("start Postgres: %w", err)
	}
	err = newCluster(ctx, server.owner, server.options.Installation, server.data())
	if err == nil {
		err = server.begin(ctx)
	}
	if err == nil {
		// The name of the role and the password are this package's own: nothing
		// in them needs quoting.
		_, err = server.Exec(ctx, databaseOfRoot, "ALTER ROLE postgres PASSWORD '"+server.password+"'")
	}
	if err != nil {
		return nil, server.abandon(err)
	}
	return server, nil
}

// prepare makes the server's directory and all that needs no running server.
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
		return nil, fmt.Errorf("make a directory for the server: %w", err)
	}
	server := &Server{options: options, owner: owner, directory: directory, password: rand.Text()}
	if err := owner.own(directory); err != nil {
		return nil, server.abandon(err)
	}
	return server, nil
}

// begin writes the configuration and starts the server, on another port when
// somebody took the one it was to have.
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
		if err = s.spawn(ctx); !errors.Is(err, errEnded) || localrun.PortFree(s.port) {
			return err
		}
	}
	return err
}

// certify gives the server a certificate unless it is to have none.
func (s *Server) certify() error {
	if s.options.NoTLS {
		return nil
	}
	made, err := newCertificates()
	if err != nil {
		return err
	}
	s.rootPEM = made.authority
	return errors.Join(s.write("server.crt", made.certificate), s.write("server.key", made.key))
}

func (s *Server) data() string { return filepath.Join(s.directory, "data") }

// write puts a file into the data directory, for the server's user alone.
func (s *Server) write(name string, content []byte) error {
	path := filepath.Join(s.data(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return fmt.Errorf("write the server's %s: %w", name, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("protect the server's %s: %w", name, err)
	}
	return s.owner.own(path)
}

var errEnded = errors.New("the server ended while starting")

// spawn starts the process and waits until it answers.
func (s *Server) spawn(ctx context.Context) error {
	log, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the server's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	cmd := s.owner.command(s.directory, filepath.Join(s.options.Installation.BinDir, "postgres"), "-D", s.data())
	cmd.Stdout, cmd.Stderr = log, log
	// SIGQUIT is Postgres's immediate shutdown, which takes its children along.
	process, err := localrun.Start(cmd, syscall.SIGQUIT)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.process = process
	s.mu.Unlock()
	return s.awaitReady(ctx, process)
}

func (s *Server) awaitReady(ctx context.Context, process *localrun.Process) error {
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	ticker := time.NewTicker(readyPoll)
	defer ticker.Stop()
	for {
		_, err := s.Exec(ctx, databaseOfRoot, "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-process.Done():
			return errors.Join(errEnded, process.Err())
		case <-ctx.Done():
			return fmt.Errorf("wait for the server to answer: %w: %w", ctx.Err(), err)
		case <-ticker.C:
		}
	}
}

// abandon stops a server that could not be started and explains why.
func (s *Server) abandon(err error) error {
	log := s.Log()
	s.Stop()
	if log != "" {
		err = fmt.Errorf("%w\nserver log:\n%s", err, localrun.Tail(log, logTail))
	}
	return fmt.Errorf("start Postgres: %w", err)
}

// Restart stops the server, waiting for its data to be written, and starts it
// again on the same port. Sessions are cut off.
func (s *Server) Restart(ctx context.Context) error {
	s.halt(syscall.SIGINT, stopPatience)
	if err := s.spawn(ctx); err != nil {
		return fmt.Errorf("restart Postgres: %w\nserver log:\n%s", err, localrun.Tail(s.Log(), logTail))
	}
	return nil
}

// Stop ends the server at once and removes its data. It may be called again.
func (s *Server) Stop() {
	s.halt(syscall.SIGQUIT, shortPatience)
	// What stays behind in the temporary directory does no harm, and a later
	// Start removes it.
	_ = os.RemoveAll(s.directory)
}

func (s *Server) halt(signal syscall.Signal, patience time.Duration) {
	s.mu.Lock()
	process := s.process
	s.process = nil
	s.mu.Unlock()
	if process == nil {
		return
	}
	// A fast shutdown waits for its log to be sent to every standby, a stopped
	// one too: then it is the immediate one.
	if signal != syscall.SIGQUIT {
		_ = process.Signal(signal)
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-process.Done():
			return
		case <-timer.C:
		}
	}
	process.Stop(syscall.SIGQUIT, shortPatience)
}

func (s *Server) logPath() string { return filepath.Join(s.directory, "log") }
