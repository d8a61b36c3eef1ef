// Package mototest runs a real moto server, the stand-in for AWS, for tests.
package mototest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

// What a client of the server has to have set; moto takes any credentials.
const (
	// AccessKeyID is the access key of the credentials.
	AccessKeyID = "testing"
	// SecretAccessKey is the secret of the credentials.
	SecretAccessKey = "testing"
	// Region is the region of the clients that this package makes.
	Region = "us-east-1"
)

const (
	startDeadline   = 20 * time.Minute // an installation downloads
	answerDeadline  = time.Minute
	requestDeadline = 5 * time.Second
	stopPatience    = 5 * time.Second
	poll            = 50 * time.Millisecond
	startTries      = 3
	logLimit        = 64 << 10
	logTail         = 4000
)

// Server is a running moto server. Its methods may be called from several
// goroutines at once.
type Server struct {
	port    int
	front   *serializer
	process *localrun.Process
	log     *tailBuffer
	client  *http.Client
}

// Start starts a server that is stopped when the test ends.
func Start(tb testing.TB) *Server {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startDeadline)
	defer cancel()
	server, err := start(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.stop)
	return server
}

// Main is for a TestMain: it starts one server for the package's tests, hands
// it to set, runs the tests, stops the server and returns the exit status.
func Main(m *testing.M, set func(*Server)) int { return With(m.Run, set) }

// With is Main for a TestMain that starts more than this server: run runs the
// tests.
func With(run func() int, set func(*Server)) int {
	ctx, cancel := context.WithTimeout(context.Background(), startDeadline)
	defer cancel()
	server, err := start(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer server.stop()
	set(server)
	return run()
}

// URL is the server's address, http with a port and without a final slash.
func (s *Server) URL() string { return s.front.url() }

// Environment is the environment variables, as NAME=value, by which a program
// that uses the AWS SDK finds the server.
func (s *Server) Environment() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + s.URL(),
		"AWS_REGION=" + Region,
		"AWS_ACCESS_KEY_ID=" + AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + SecretAccessKey,
	}
}

// Reset makes the server forget everything, of all accounts and regions.
func (s *Server) Reset(ctx context.Context) error {
	if err := s.request(ctx, http.MethodPost, "/moto-api/reset"); err != nil {
		return fmt.Errorf("reset moto: %w", err)
	}
	return nil
}

func start(ctx context.Context) (*Server, error) {
	program, err := find(ctx)
	if err != nil {
		return nil, fmt.Errorf("find moto: %w", err)
	}
	for range startTries {
		var server *Server
		server, err = launch(ctx, program)
		if err == nil {
			return server, nil
		}
	}
	return nil, fmt.Errorf("start moto: %w", err)
}

func launch(ctx context.Context, program string) (*Server, error) {
	port, err := localrun.FreePort()
	if err != nil {
		return nil, err
	}
	log := &tailBuffer{}
	cmd := exec.Command(program, "-H", "127.0.0.1", "-p", fmt.Sprint(port))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.WaitDelay = time.Second
	process, err := localrun.Start(cmd, syscall.SIGKILL)
	if err != nil {
		return nil, err
	}
	front, err := serialize(fmt.Sprintf("http://127.0.0.1:%d", port))
	if err != nil {
		process.Stop(syscall.SIGKILL, stopPatience)
		return nil, err
	}
	server := &Server{port: port, front: front, process: process, log: log, client: &http.Client{
		// No proxy: the server is on loopback.
		Transport: &http.Transport{},
		Timeout:   requestDeadline,
	}}
	if err := server.awaitAnswer(ctx); err != nil {
		server.stop()
		return nil, fmt.Errorf("%w\nmoto's output:\n%s", err, localrun.Tail(log.String(), logTail))
	}
	return server, nil
}

func (s *Server) awaitAnswer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerDeadline)
	defer cancel()
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		err := s.request(ctx, http.MethodGet, "/moto-api/data.json")
		if err == nil {
			return nil
		}
		select {
		case <-s.process.Done():
			return errors.Join(errors.New("moto ended while starting"), s.process.Err())
		case <-ctx.Done():
			return fmt.Errorf("wait for moto to answer: %w: %w", ctx.Err(), err)
		case <-ticker.C:
		}
	}
}

func (s *Server) request(ctx context.Context, method, path string) error {
	request, err := http.NewRequestWithContext(ctx, method, s.URL()+path, nil)
	if err != nil {
		return fmt.Errorf("prepare a request: %w", err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return fmt.Errorf("send a request: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: status %d", method, path, response.StatusCode)
	}
	return nil
}

func (s *Server) stop() {
	s.front.close()
	s.process.Stop(syscall.SIGTERM, stopPatience)
	s.client.CloseIdleConnections()
}

// tailBuffer keeps the end of what is written to it.
type tailBuffer struct {
	mu   sync.Mutex
	data []byte
}

func (b *tailBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data = append(b.data, data...)
	if len(b.data) > 2*logLimit {
		b.data = append([]byte(nil), b.data[len(b.data)-logLimit:]...)
	}
	return len(data), nil
}

func (b *tailBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.data)
}
