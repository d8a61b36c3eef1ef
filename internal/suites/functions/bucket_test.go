package functions_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/cfn"

	"github.com/headgate/headgate/internal/testkit/certificates"
)

// bucketHost is the host name of the bucket in which CloudFormation waits for answers
// in the Region of the functions.
const bucketHost = "cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com"

// bucket takes the answers to CloudFormation. A function reaches it by its real name
// through a proxy, with the bucket's own authority as AWS_CA_BUNDLE.
type bucket struct {
	env     []string
	mu      sync.Mutex
	answers []cfn.Response
	refuse  int // how many answers are refused
}

func newBucket(t *testing.T) *bucket {
	t.Helper()
	b := &bucket{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(b.put))
	chain, err := certificates.New(certificates.Options{DNSNames: []string{bucketHost}})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(chain.Certificate, chain.Key)
	if err != nil {
		t.Fatal(err)
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tunnel(t, w, r, server.Listener.Addr().String())
	}))
	t.Cleanup(proxy.Close)
	bundle := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(bundle, chain.Authority, 0o600); err != nil {
		t.Fatal(err)
	}
	b.env = []string{"HTTPS_PROXY=" + proxy.URL, "AWS_CA_BUNDLE=" + bundle}
	return b
}

// put is the bucket's handler.
func (b *bucket) put(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	var answer cfn.Response
	switch {
	case err != nil || r.Method != http.MethodPut || r.Header.Get("Content-Type") != "" || json.Unmarshal(body, &answer) != nil:
		w.WriteHeader(http.StatusBadRequest)
	case b.refuse > 0:
		b.refuse--
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		b.answers = append(b.answers, answer)
	}
}

// take returns the only answer since the last call.
func (b *bucket) take(t *testing.T) cfn.Response {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.answers) != 1 {
		t.Fatalf("%d answers, want 1: %+v", len(b.answers), b.answers)
	}
	answer := b.answers[0]
	b.answers = nil
	return answer
}

func (b *bucket) setRefuse(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuse = n
}

// tunnel connects a client of the proxy with the bucket.
func tunnel(t *testing.T, w http.ResponseWriter, r *http.Request, address string) {
	if r.Method != http.MethodConnect || r.Host != bucketHost+":443" {
		t.Errorf("%s %s through the proxy", r.Method, r.Host)
		w.WriteHeader(http.StatusForbidden)
		return
	}
	upstream, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", address)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = upstream.Close() }()
	w.WriteHeader(http.StatusOK)
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = client.Close() }()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(upstream, client) // ends when either side closes
		_ = upstream.Close()
	}()
	_, _ = io.Copy(client, upstream)
	_ = client.Close()
	<-done
}
