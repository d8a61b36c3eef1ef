package pgserver

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

const certificateLifetime = 24 * time.Hour

// certificates has a server's certificate, its key and its authority as PEM.
type certificates struct{ authority, certificate, key []byte }

// newSigner returns a key for signatures of that algorithm.
func newSigner(a x509.SignatureAlgorithm) (crypto.Signer, error) {
	switch a {
	case x509.PureEd25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case x509.SHA256WithRSA, x509.SHA256WithRSAPSS:
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func newCertificates(signature x509.SignatureAlgorithm) (certificates, error) {
	now := time.Now()
	authority := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		SignatureAlgorithm:    signature,
		Subject:               pkix.Name{CommonName: "headgate test authority"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(certificateLifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	server := &x509.Certificate{
		SerialNumber:       big.NewInt(2),
		SignatureAlgorithm: signature,
		Subject:            pkix.Name{CommonName: "localhost"},
		NotBefore:          authority.NotBefore,
		NotAfter:           authority.NotAfter,
		KeyUsage:           x509.KeyUsageDigitalSignature,
		ExtKeyUsage:        []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:           []string{"localhost"},
		IPAddresses:        []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	authorityKey, err := newSigner(signature)
	if err != nil {
		return certificates{}, fmt.Errorf("create key of the authority: %w", err)
	}
	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certificates{}, fmt.Errorf("create key of the server: %w", err)
	}
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	if err != nil {
		return certificates{}, fmt.Errorf("create authority: %w", err)
	}
	serverDER, err := x509.CreateCertificate(rand.Reader, server, authority, &serverKey.PublicKey, authorityKey)
	if err != nil {
		return certificates{}, fmt.Errorf("create certificate of the server: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		return certificates{}, fmt.Errorf("encode key of the server: %w", err)
	}
	return certificates{
		authority:   block("CERTIFICATE", authorityDER),
		certificate: block("CERTIFICATE", serverDER),
		key:         block("PRIVATE KEY", keyDER),
	}, nil
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
