// Package mototest runs a moto server, which implements the AWS APIs, for tests.
package mototest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

const (
	// AccessKeyID and SecretAccessKey are the credentials of Environment and Config.
	// moto accepts any.
	AccessKeyID     = "testing"
	SecretAccessKey = "testing"
	// Region is the region of Environment and Config.
	Region = "us-east-1"

	requirement = "moto[server]==5.2.1"

	startTimeout   = 20 * time.Minute // an installation downloads packages
	readyTimeout   = time.Minute
	requestTimeout = 5 * time.Second
	stopGrace      = 5 * time.Second
	readyInterval  = 50 * time.Millisecond
	startTries     = 3
)

// Server is a running moto server. Its methods are safe for concurrent use.
type Server struct {
	front   *serializer
	process *localrun.Process
	client  *http.Client
}

// Start starts a server that is stopped when the test ends.
func Start(tb testing.TB) *Server {
	tb.Helper()
	server, err := Open(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Stop)
	return server
}

// Main is for a TestMain. It starts a server, passes it to set, runs the tests,
// stops the server and returns the exit status.
func Main(m *testing.M, set func(*Server)) int {
	server, err := Open(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer server.Stop()
	set(server)
	return m.Run()
}

// Open starts a server, which needs a Stop. It installs moto if the machine has
// none.
func Open(ctx context.Context) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	program, err := localrun.PythonProgram(ctx, "moto_server", requirement)
	if err != nil {
		return nil, fmt.Errorf("start moto: %w", err)
	}
	for range startTries {
		var server *Server
		if server, err = launch(ctx, program); err == nil {
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
	front, err := serialize(fmt.Sprintf("http://127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	var output localrun.Output
	cmd := exec.Command(program, "-H", "127.0.0.1", "-p", fmt.Sprint(port))
	cmd.Stdout, cmd.Stderr = &output, &output
	process, err := localrun.Start(cmd, syscall.SIGKILL)
	if err != nil {
		front.close()
		return nil, err
	}
	server := &Server{front: front, process: process, client: &http.Client{
		Transport: &http.Transport{}, // without a proxy, since the server is on loopback
		Timeout:   requestTimeout,
	}}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	err = process.Await(ctx, readyInterval, func(ctx context.Context) error {
		return server.request(ctx, http.MethodGet, "/moto-api/data.json")
	})
	if err != nil {
		server.Stop()
		return nil, fmt.Errorf("%w\noutput:\n%s", err, localrun.Tail(output.String()))
	}
	return server, nil
}

// URL returns the server's address, http with a port and without a final slash.
func (s *Server) URL() string { return s.front.url() }

// Environment returns the variables, as NAME=value, with which a program that
// uses the AWS SDK finds the server.
func (s *Server) Environment() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + s.URL(),
		"AWS_REGION=" + Region,
		"AWS_ACCESS_KEY_ID=" + AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + SecretAccessKey,
	}
}

// Config returns the configuration of an SDK client for the server.
func (s *Server) Config() aws.Config { return Config(s.URL()) }

// Config returns the configuration of an SDK client for a moto server at url.
func Config(url string) aws.Config {
	return aws.Config{
		Region:       Region,
		BaseEndpoint: &url,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: AccessKeyID, SecretAccessKey: SecretAccessKey}, nil
		}),
	}
}

// Reset deletes everything, in all accounts and regions.
func (s *Server) Reset(ctx context.Context) error {
	if err := s.request(ctx, http.MethodPost, "/moto-api/reset"); err != nil {
		return fmt.Errorf("reset moto: %w", err)
	}
	return nil
}

func (s *Server) request(ctx context.Context, method, path string) error {
	request, err := http.NewRequestWithContext(ctx, method, s.URL()+path, nil)
	if err != nil {
		return err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return fmt.Errorf("read response: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: status %d", method, path, response.StatusCode)
	}
	return nil
}

// Stop ends the server. It may be called more than once.
func (s *Server) Stop() {
	s.front.close()
	s.process.Stop(syscall.SIGTERM, stopGrace)
	s.client.CloseIdleConnections()
}
