package functions_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/testkit/certificates"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

// TestSafety_CleartextToVerifiedServers has a server that asks for cleartext passwords,
// with a certificate of an authority that the functions' system trusts.
func TestSafety_CleartextToVerifiedServers(t *testing.T) {
	t.Parallel()
	chain, err := certificates.New(certificates.Options{})
	if err != nil {
		t.Fatal(err)
	}
	authorities := filepath.Join(t.TempDir(), "authorities.pem")
	if err := os.WriteFile(authorities, chain.Authority, 0o600); err != nil {
		t.Fatal(err)
	}
	server := pgtest.Start(t, pgserver.Options{HBA: []string{"hostssl all all 127.0.0.1/32 password"}, Certificates: chain})
	source := pgserver.Source{Database: "source", Username: "cdc", Password: sourcePassword, Publication: "pub", Slot: "slot"}
	if err := server.CreateSource(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	f := newFunctions(t)
	f.env = append(f.env, "SSL_CERT_FILE="+authorities)
	own := with(machine.Payload("orders", source), "port", server.Port())
	referenced, err := f.Share(t.Context(), "acme", "theirs-"+f.Table, own)
	if err != nil {
		t.Fatal(err)
	}
	verified := func(payload map[string]any) map[string]any { return with(payload, "ssl_mode", "verify-full") }
	for _, tt := range []struct {
		name    string
		payload map[string]any
		status  int
		code    string
	}{
		{"a password of the request, not verified", own, http.StatusOK, ""},
		{"a password of the request, without TLS", with(own, "ssl", false), http.StatusUnprocessableEntity, "tls_required"},
		{"by reference, not verified", referenced, http.StatusUnprocessableEntity, "connection_not_permitted"},
		{"by reference, verified by the system's authorities", verified(referenced), http.StatusOK, ""},
		{"by reference, verified by the caller's authority", with(verified(referenced), "ssl_root_cert", string(chain.Authority)), http.StatusUnprocessableEntity, "connection_not_permitted"},
	} {
		got := (&client{t, f, "acme"}).call("POST", collection+"?dry_run=true", tt.payload, tt.status, nil)
		if tt.code != "" && !strings.Contains(string(got.body), `"code":"`+tt.code+`"`) {
			t.Errorf("%s: %s", tt.name, got.body)
		}
		wantAbsent(t, sourcePassword, string(got.body))
	}
	wantAbsent(t, sourcePassword, f.function("create-database").Logs())
}
