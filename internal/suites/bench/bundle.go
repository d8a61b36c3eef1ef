package bench

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

// bundles are files of authorities, of which the front's is one: as many as each
// program reads where it is deployed. That is the system's for the naive one, and
// Amazon's own for headgate's functions.
type bundles struct{ amazon, system, nowhere string }

func writeBundles(dir string, front *httptest.Server) (bundles, error) {
	b := bundles{filepath.Join(dir, "amazon.pem"), filepath.Join(dir, "system.pem"), filepath.Join(dir, "none")}
	root, err := localrun.RepositoryRoot()
	if err != nil {
		return b, err
	}
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw})
	if err := join(b.amazon, own, filepath.Join(root, "internal", "awsenv", "amazon.pem")); err != nil {
		return b, err
	}
	// Where Debian, Alpine and Arch, and where Amazon Linux and Fedora have theirs.
	return b, join(b.system, own, "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
}

// join writes own and the first of those files that is there.
func join(path string, own []byte, others ...string) error {
	for _, other := range others {
		text, err := os.ReadFile(other)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading authorities: %w", err)
		}
		return os.WriteFile(path, bytes.Join([][]byte{own, text}, []byte("\n")), 0o600)
	}
	return fmt.Errorf("reading authorities: none of %v is there", others)
}

// env makes a program take its bundle: the naive one as the system's.
func (b bundles) env(program string) []string {
	if program == naive {
		return []string{"SSL_CERT_FILE=" + b.system, "SSL_CERT_DIR=" + b.nowhere}
	}
	return []string{"AWS_CA_BUNDLE=" + b.amazon}
}
