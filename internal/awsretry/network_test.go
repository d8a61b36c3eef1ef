package awsretry_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/awsretry"
)

// post returns a call that sends a request to url over the real network.
func post(client *http.Client, url string) func(context.Context) error {
	return func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(r)
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
}

func TestDo_NetworkErrors(t *testing.T) {
	t.Parallel()
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(hanging.Close)
	resetting := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(resetting.Close)
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(untrusted.Close)

	tests := map[string]struct {
		url     string
		outcome awsretry.Outcome
	}{
		"the server does not answer":        {hanging.URL, awsretry.Ambiguous},
		"the server resets the connection":  {resetting.URL, awsretry.Ambiguous},
		"the port is closed":                {"http://" + closedPort(t), awsretry.NotSent},
		"the certificate is not trusted":    {untrusted.URL, awsretry.NotSent},
		"the TLS handshake does not finish": {"https://" + silent(t), awsretry.NotSent},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transport := &http.Transport{}
			t.Cleanup(transport.CloseIdleConnections)
			policy := awsretry.Policy{Timeout: time.Second, AttemptTimeout: 300 * time.Millisecond}
			err := awsretry.Do(t.Context(), policy, post(&http.Client{Transport: transport}, test.url))
			if outcomeOf(err) != test.outcome {
				t.Errorf("outcome %d of %v, want %d", outcomeOf(err), err, test.outcome)
			}
		})
	}
}

// closedPort returns an address where nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l := listen(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// silent returns the address of a server that accepts connections and sends
// nothing.
func silent(t *testing.T) string {
	t.Helper()
	l := listen(t)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	// The kernel completes the connections without Accept.
	return l.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}
