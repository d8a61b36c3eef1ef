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

// authorities are files of certificate authorities, each with the front's. A
// program reads as many as it does where it is deployed: the naive one the
// system's, headgate's functions Amazon's.
type authorities struct{ amazon, system, missing string }

func writeAuthorities(directory string, front *httptest.Server) (authorities, error) {
	a := authorities{filepath.Join(directory, "amazon.pem"), filepath.Join(directory, "system.pem"), filepath.Join(directory, "missing")}
	root, err := localrun.RepositoryRoot()
	if err != nil {
		return a, err
	}
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw})
	if err := join(a.amazon, own, filepath.Join(root, "internal", "awsenv", "amazon.pem")); err != nil {
		return a, err
	}
	// Debian, Alpine and Arch have the first file, Amazon Linux and Fedora the second.
	return a, join(a.system, own, "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
}

// join writes own and the first of the other files that exists.
func join(path string, own []byte, others ...string) error {
	for _, other := range others {
		text, err := os.ReadFile(other)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read certificate authorities: %w", err)
		}
		return os.WriteFile(path, bytes.Join([][]byte{own, text}, []byte("\n")), 0o600)
	}
	return fmt.Errorf("read certificate authorities: none of %v exists", others)
}

// env returns the variables that make a program use its file.
func (a authorities) env(program string) []string {
	if program == naive {
		return []string{"SSL_CERT_FILE=" + a.system, "SSL_CERT_DIR=" + a.missing}
	}
	return []string{"AWS_CA_BUNDLE=" + a.amazon}
}
