package judge

import (
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/probe/facts"
)

const sendSSL = `send "ssl": true`

// tlsMatters holds if TLS was requested and tried, or if the server wants it.
func tlsMatters(s subject) bool {
	return s.endpoint.SSL && s.Tried(facts.Encrypted) || len(tlsFindings(s.server)) > 0
}

func judgeTLS(s subject) []check.Entry { return tlsFindings(s.server) }

func tlsFindings(s server) []check.Entry {
	var findings []check.Entry
	fail := func(code check.Code, message, fix string) {
		findings = append(findings, check.Fail(check.TLS, code, message, fix))
	}
	if s.TLSOnly {
		fail(check.TLSRequired, "the server accepts this role over TLS only, and ssl is false", sendSSL)
	}
	f := s.StoppedAt(facts.Encrypted)
	if f == nil {
		return findings
	}
	const cleartext = "the server asks for the password in cleartext, which is sent over TLS only, and ssl is false"
	switch f.Kind {
	case facts.TLSNotOffered:
		fail(check.TLSNotSupported, "the server does not offer TLS, and ssl is true",
			"ALTER SYSTEM SET ssl = on -- with ssl_cert_file and ssl_key_file in place, then SELECT pg_reload_conf()")
	case facts.RootsUnreadable:
		fail(check.TLSCertificateInvalid, "the certificate authorities to verify the server with could not be read", "")
	case facts.CertificateNotVerified:
		fail(check.TLSCertificateInvalid, "the server's certificate could not be verified: "+f.Detail,
			"send the authority's certificate in ssl_root_cert, and the host name that the certificate has")
	case facts.CleartextWithoutTLS:
		fail(check.TLSRequired, cleartext, sendSSL)
	case facts.CleartextNoTLS:
		fail(check.TLSRequired, cleartext, "use scram-sha-256 in place of password in pg_hba.conf, or turn TLS on on the server")
	default: // facts.HandshakeFailed
		fail(check.TLSFailed, "the TLS handshake failed: "+f.Detail, "")
	}
	return findings
}
