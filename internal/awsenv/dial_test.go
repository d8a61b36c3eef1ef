package awsenv_test

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/headgate/headgate/internal/awsenv"
)

// awsServer stands in for an AWS endpoint. env leads to it.
type awsServer struct {
	t        *testing.T
	env      *awsenv.Env
	endpoint *url.URL
	bundle   string // the file with its certificate
	accepted atomic.Int64
	first    chan struct{} // closed at the first connection
}

func newAWSServer(t *testing.T, secure bool) *awsServer {
	t.Helper()
	f := &awsServer{t: t, first: make(chan struct{})}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew && f.accepted.Add(1) == 1 {
			close(f.first)
		}
	}
	vars := good()
	if secure {
		server.StartTLS()
		f.bundle = filepath.Join(t.TempDir(), "ca.pem")
		vars["AWS_CA_BUNDLE"] = f.bundle
		writePEM(t, f.bundle, pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	var err error
	if f.endpoint, err = url.Parse(server.URL); err != nil {
		t.Fatal(err)
	}
	f.env = awsenv.New(func(name string) string { return vars[name] })
	return f
}

func writePEM(t *testing.T, path string, block pem.Block) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&block), 0o600); err != nil {
		t.Fatal(err)
	}
}

// call sends a request.
func (f *awsServer) call() {
	f.t.Helper()
	if err := f.try(); err != nil {
		f.t.Fatal(err)
	}
}

// try sends a request with the HTTP client of an SDK client.
func (f *awsServer) try() error {
	f.t.Helper()
	config, _, err := f.env.DynamoDB()
	if err != nil {
		f.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, f.endpoint.String(), nil)
	if err != nil {
		f.t.Fatal(err)
	}
	response, err := config.HTTPClient.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// What looks like a certificate is parsed by the first connection, so the start takes it.
func TestDial_GarbledBundle(t *testing.T) {
	t.Parallel()
	f := newAWSServer(t, true)
	writePEM(t, f.bundle, pem.Block{Type: "CERTIFICATE", Bytes: []byte("not DER")})
	if err := f.try(); err == nil || !strings.Contains(err.Error(), "AWS_CA_BUNDLE is malformed") {
		t.Errorf("error %v, want one that names the variable", err)
	}
}

// preconnect begins a Preconnect. The returned function ends it.
func (f *awsServer) preconnect() (end func()) {
	ctx, cancel := context.WithCancel(f.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.env.Preconnect(ctx, f.endpoint)
	}()
	return func() {
		cancel()
		<-done
	}
}

func TestPreconnect_NextCallUsesTheConnection(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		f := newAWSServer(t, secure)
		end := f.preconnect()
		<-f.first
		f.call()
		end()
		f.call()
		if n := f.accepted.Load(); n != 1 {
			t.Errorf("secure %v: %d connections, want 1", secure, n)
		}
		end = f.preconnect()
		end()
		if n := f.accepted.Load(); n != 1 {
			t.Errorf("secure %v: %d connections after another Preconnect, want 1", secure, n)
		}
	}
}

func TestPreconnect_ClosesAnUnusedConnection(t *testing.T) {
	t.Parallel()
	f := newAWSServer(t, true)
	for range 3 {
		f.preconnect()()
	}
	f.call()
	f.call()
	if n := f.accepted.Load(); n < 1 || n > 4 {
		t.Errorf("%d connections, want 1 to 4", n)
	}
}

func TestPreconnect_FailureDoesNotDelayACall(t *testing.T) {
	t.Parallel()
	f := newAWSServer(t, true)
	gone := httptest.NewServer(http.NotFoundHandler())
	endpoint, err := url.Parse(gone.URL)
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	f.env.Preconnect(t.Context(), endpoint)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.env.Preconnect(ctx, f.endpoint)
	f.call()
}
