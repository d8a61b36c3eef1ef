package verdicts_test

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
	"sync"
	"time"
)

// certificateKind is what kind of certificate a server has.
type certificateKind int

const (
	noCertificate certificateKind = iota
	ecdsaCertificate
	rsaCertificate
	ed25519Certificate
	expiredCertificate
	otherHostCertificate
)

// certificate is a server's certificate and key, and the authority that an
// operator would hand out for it.
type certificate struct{ authority, certificate, key []byte }

// certificates makes each kind once: an RSA key takes a while.
var certificates = sync.OnceValues(func() (map[certificateKind]certificate, error) {
	made := map[certificateKind]certificate{}
	for kind := ecdsaCertificate; kind <= otherHostCertificate; kind++ {
		c, err := newCertificate(kind)
		if err != nil {
			return nil, fmt.Errorf("make a certificate: %w", err)
		}
		made[kind] = c
	}
	return made, nil
})

// strangers is an authority that signed no server's certificate here.
var strangers = sync.OnceValue(func() []byte {
	c, err := newCertificate(ecdsaCertificate)
	if err != nil {
		panic(err)
	}
	return c.authority
})

func newKey(kind certificateKind) (crypto.Signer, error) {
	switch kind {
	case rsaCertificate:
		return rsa.GenerateKey(rand.Reader, 2048)
	case ed25519Certificate:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	default:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
}

func newCertificate(kind certificateKind) (certificate, error) {
	authorityKey, err := newKey(kind)
	if err != nil {
		return certificate{}, err
	}
	key, err := newKey(kind)
	if err != nil {
		return certificate{}, err
	}
	now := time.Now()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "verdicts authority"},
		NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if kind == expiredCertificate {
		server.NotAfter = now.Add(-time.Hour)
	}
	if kind == otherHostCertificate {
		server.DNSNames, server.IPAddresses = []string{"db.example.com"}, nil
	}
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	if err != nil {
		return certificate{}, err
	}
	serverDER, err := x509.CreateCertificate(rand.Reader, server, authority, key.Public(), authorityKey)
	if err != nil {
		return certificate{}, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return certificate{}, err
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	return certificate{
		authority: block("CERTIFICATE", authorityDER), certificate: block("CERTIFICATE", serverDER), key: block("PRIVATE KEY", keyDER),
	}, nil
}
