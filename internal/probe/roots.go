package probe

import (
	"crypto/x509"
	_ "embed"
	"errors"
)

// rdsRoots are the certificate authorities of Amazon RDS, which no system's
// store has.
//
//go:embed rds.pem
var rdsRoots string

// roots are the authorities that verify-full trusts: the caller's own, or the
// public ones and Amazon RDS's. They are read only when they are needed.
func roots(own string) (*x509.CertPool, error) {
	if own != "" {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(own)) {
			return nil, errors.New("no certificate in ssl_root_cert")
		}
		return pool, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, err
	}
	if !pool.AppendCertsFromPEM([]byte(rdsRoots)) {
		return nil, errors.New("no certificate of Amazon RDS's")
	}
	return pool, nil
}
