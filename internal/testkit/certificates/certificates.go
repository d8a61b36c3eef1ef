// Package certificates issues certificates for the servers of tests.
package certificates

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

const defaultLifetime = 24 * time.Hour

// Options is what a server's certificate is like. The zero value means one for
// localhost, 127.0.0.1 and ::1 that is valid now.
type Options struct {
	// Signature is the algorithm of both signatures, and decides about the keys; the zero
	// value means ECDSA with SHA-256.
	Signature x509.SignatureAlgorithm
	// DNSNames replace the names and addresses of this machine.
	DNSNames []string
	// NotBefore and NotAfter bound the server's certificate, not its authority's.
	NotBefore, NotAfter time.Time
}

// Chain has a server's certificate, its key and the authority that signed it as PEM.
type Chain struct{ Authority, Certificate, Key []byte }

// New issues a certificate by an authority of its own.
func New(o Options) (Chain, error) {
	authorityKey, err := newKey(o.Signature)
	if err != nil {
		return Chain{}, fmt.Errorf("create key of the authority: %w", err)
	}
	key, err := newKey(o.Signature)
	if err != nil {
		return Chain{}, fmt.Errorf("create key of the server: %w", err)
	}
	now := time.Now()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "headgate test authority"}, SignatureAlgorithm: o.Signature,
		NotBefore: now.Add(-2 * defaultLifetime), NotAfter: now.Add(2 * defaultLifetime),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, SignatureAlgorithm: o.Signature,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(defaultLifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if o.DNSNames != nil {
		server.DNSNames, server.IPAddresses = o.DNSNames, nil
	}
	if !o.NotBefore.IsZero() {
		server.NotBefore = o.NotBefore
	}
	if !o.NotAfter.IsZero() {
		server.NotAfter = o.NotAfter
	}
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	if err != nil {
		return Chain{}, fmt.Errorf("create authority: %w", err)
	}
	serverDER, err := x509.CreateCertificate(rand.Reader, server, authority, key.Public(), authorityKey)
	if err != nil {
		return Chain{}, fmt.Errorf("create certificate of the server: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Chain{}, fmt.Errorf("encode key of the server: %w", err)
	}
	return Chain{block("CERTIFICATE", authorityDER), block("CERTIFICATE", serverDER), block("PRIVATE KEY", keyDER)}, nil
}

// newKey returns a key for signatures of that algorithm.
func newKey(a x509.SignatureAlgorithm) (crypto.Signer, error) {
	switch a {
	case x509.PureEd25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case x509.SHA256WithRSA, x509.SHA256WithRSAPSS:
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
