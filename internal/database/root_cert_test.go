package database_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
)

// certificate returns a self-signed certificate in PEM.
func certificate(t *testing.T, headers map[string]string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Headers: headers, Bytes: der}))
}

func TestParsePayload_RootCertificates(t *testing.T) {
	t.Parallel()
	good := certificate(t, nil)
	broken := "-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n"
	const onlyPEM = "must be the authority's certificates in PEM, and nothing else"
	for _, tt := range []struct{ name, pem, problem string }{
		{"one", good, ""},
		{"two with white space around them", "\n\n" + good + " \r\n\t\n" + good + "\n ", ""},
		{"lines that end with CR LF", strings.ReplaceAll(good, "\n", "\r\n"), ""},
		{"empty", "", onlyPEM},
		{"white space", " \n", onlyPEM},
		{"text before", "issuer: me\n" + good, onlyPEM},
		{"text between", good + "and\n" + good, onlyPEM},
		{"text after", good + "end", onlyPEM},
		{"headers in a block", certificate(t, map[string]string{"Note": "text"}), onlyPEM},
		{"a broken block before a good one", broken + good, onlyPEM},
		{"a broken block", broken, onlyPEM},
		{"a private key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "must hold certificates only, not PRIVATE KEY"},
		{"a block that is not a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "has a certificate that can't be parsed"},
		{"over 16 KiB", strings.Repeat(" ", 16385), "must be at most 16 KiB (16,384 bytes)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(t, with(with(base(), "ssl_mode", "verify-full"), "ssl_root_cert", tt.pem))
			if tt.problem == "" {
				if err != nil {
					t.Errorf("error %v", err)
				}
				return
			}
			e, ok := errors.AsType[*apierror.Error](err)
			if !ok || strings.Join(e.Fields["ssl_root_cert"], "; ") != tt.problem {
				t.Errorf("error %v, want %q", err, tt.problem)
			}
		})
	}
}
