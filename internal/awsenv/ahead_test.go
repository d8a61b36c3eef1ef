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
	"sync/atomic"
	"testing"

	"github.com/headgate/headgate/internal/awsenv"
)

// far is a server of AWS's, and the environment that leads there.
type far struct {
	t        *testing.T
	env      *awsenv.Env
	endpoint *url.URL
	accepted atomic.Int64
}

func newFar(t *testing.T, secure bool) *far {
	t.Helper()
	f := &far{t: t}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			f.accepted.Add(1)
		}
	}
	vars := good()
	if secure {
		server.StartTLS()
		vars["AWS_CA_BUNDLE"] = filepath.Join(t.TempDir(), "ca.pem")
		certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
		if err := os.WriteFile(vars["AWS_CA_BUNDLE"], certificate, 0o600); err != nil {
			t.Fatal(err)
		}
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

// call makes a call with the client that the SDK is given.
func (f *far) call() {
	f.t.Helper()
	config, _, err := f.env.DynamoDB()
	if err != nil {
		f.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, f.endpoint.String(), nil)
	if err != nil {
		f.t.Fatal(err)
	}
	answer, err := config.HTTPClient.Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil {
		f.t.Fatal(err)
	}
}

// ahead makes a connection ahead; what it gives ends that.
func (f *far) ahead() (end func()) {
	ctx, cancel := context.WithCancel(f.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.env.ConnectAhead(ctx, f.endpoint)
	}()
	return func() {
		cancel()
		<-done
	}
}

func TestAConnectionMadeAheadIsTheOneThatTheNextCallUses(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		f := newFar(t, secure)
		end := f.ahead()
		for f.accepted.Load() == 0 && t.Context().Err() == nil {
			// It is on its way.
		}
		f.call()
		end()
		f.call()
		if n := f.accepted.Load(); n != 1 {
			t.Errorf("secure %v: %d connections were made, want 1", secure, n)
		}
		end = f.ahead()
		end()
		if n := f.accepted.Load(); n != 1 {
			t.Errorf("secure %v: %d connections were made where there was one", secure, n)
		}
	}
}

func TestAConnectionMadeAheadThatNobodyUsesIsClosed(t *testing.T) {
	t.Parallel()
	f := newFar(t, true)
	for range 3 {
		f.ahead()()
	}
	f.call()
	f.call()
	if n := f.accepted.Load(); n < 1 || n > 4 {
		t.Errorf("%d connections were made", n)
	}
}

func TestACallDoesNotWaitForAConnectionThatCouldNotBeMadeAhead(t *testing.T) {
	t.Parallel()
	f := newFar(t, true)
	gone := httptest.NewServer(http.NotFoundHandler())
	endpoint, err := url.Parse(gone.URL)
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	f.env.ConnectAhead(t.Context(), endpoint)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.env.ConnectAhead(ctx, f.endpoint)
	f.call()
}
