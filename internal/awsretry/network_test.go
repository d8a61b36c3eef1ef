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

// get is a call of the server at url by a client that the real network serves.
func get(client *http.Client, url string) func(context.Context) error {
	return func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
		if err != nil {
			return err
		}
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		return answer.Body.Close()
	}
}

func TestWhatWasSentIsKnownFromTheNetwork(t *testing.T) {
	t.Parallel()
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(hanging.Close)
	resetting := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(resetting.Close)
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(untrusted.Close)

	tests := map[string]struct {
		url   string
		fault awsretry.Fault
	}{
		"a server that does not answer":          {hanging.URL, awsretry.Unknown},
		"a server that resets":                   {resetting.URL, awsretry.Unknown},
		"nobody listens":                         {"http://" + closedPort(t), awsretry.Unsent},
		"a certificate that is not trusted":      {untrusted.URL, awsretry.Unsent},
		"a server that never ends its handshake": {"https://" + mute(t), awsretry.Unsent},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transport := &http.Transport{}
			t.Cleanup(transport.CloseIdleConnections)
			policy := awsretry.Policy{Budget: time.Second, Attempt: 300 * time.Millisecond}
			err := awsretry.Do(t.Context(), policy, get(&http.Client{Transport: transport}, test.url))
			if faultOf(err) != test.fault {
				t.Errorf("fault %d of %v, want %d", faultOf(err), err, test.fault)
			}
		})
	}
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l := listen(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// mute is the address of a server that takes connections and says nothing.
func mute(t *testing.T) string {
	t.Helper()
	l := listen(t)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	// The kernel takes the connections: nobody has to accept them.
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
