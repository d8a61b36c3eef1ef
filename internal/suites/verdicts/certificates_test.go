package verdicts_test

import (
	"crypto/x509"
	"fmt"
	"sync"
	"time"

	"github.com/headgate/headgate/internal/testkit/certificates"
)

// certificateKind is what kind of certificate a server has.
type certificateKind int

const (
	noCertificate certificateKind = iota + 1 // 0 is the one that a server starts with
	ecdsaCertificate
	rsaCertificate
	ed25519Certificate
	expiredCertificate
	otherHostCertificate
)

// issued makes a certificate of each kind once: an RSA key takes a while.
var issued = sync.OnceValues(func() (map[certificateKind]certificates.Chain, error) {
	made := map[certificateKind]certificates.Chain{}
	for kind, options := range map[certificateKind]certificates.Options{
		ecdsaCertificate:     {},
		rsaCertificate:       {Signature: x509.SHA256WithRSA},
		ed25519Certificate:   {Signature: x509.PureEd25519},
		expiredCertificate:   {NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)},
		otherHostCertificate: {DNSNames: []string{"db.example.com"}},
	} {
		chain, err := certificates.New(options)
		if err != nil {
			return nil, fmt.Errorf("issue certificate: %w", err)
		}
		made[kind] = chain
	}
	return made, nil
})

// strangers is an authority that signed no server's certificate here.
var strangers = sync.OnceValue(func() []byte {
	chain, err := certificates.New(certificates.Options{})
	if err != nil {
		panic(err)
	}
	return chain.Authority
})
