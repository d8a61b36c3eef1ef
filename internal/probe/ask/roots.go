package ask

import (
	"crypto/x509"
	_ "embed"
	"errors"
)

// rdsRoots are the certificate authorities of Amazon RDS, which are not in the
// systems' trust stores.
//
//go:embed rds.pem
var rdsRoots string

// roots returns the authorities that verify-full trusts: those in PEM form in own,
// or else the system's and Amazon RDS's.
func roots(own string) (*x509.CertPool, error) {
	if own != "" {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(own)) {
			return nil, errors.New("read ssl_root_cert: no certificate in it")
		}
		return pool, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, err
	}
	if !pool.AppendCertsFromPEM([]byte(rdsRoots)) {
		return nil, errors.New("read Amazon RDS's roots: no certificate in them")
	}
	return pool, nil
}
