package judge

import (
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

// tlsMatters holds if TLS was requested and tried, or if the server offers or wants
// it.
func tlsMatters(s subject) bool {
	return s.endpoint.SSL && s.Tried(facts.Encrypted) || len(judgeTLS(s)) > 0 ||
		len(notChecked(s, check.TLS, s.missing(tlsDetails(s)))) > 0
}

// judgeTLS leaves the failures of the primary to the check standby.
func judgeTLS(s subject) []check.Entry {
	findings := append(tlsFindings(s.server), notUsed(s.server)...)
	if s.primary != nil {
		findings = append(findings, notUsed(*s.primary)...)
	}
	return findings
}

// tlsDetails returns what tells whether the server offers TLS to a connection without
// it.
func tlsDetails(s subject) []facts.Part {
	if s.endpoint.SSL || s.TLSOnly || !session(s) {
		return nil
	}
	return []facts.Part{facts.PartSettings}
}

// notUsed warns of a server that offers TLS to a connection without it.
func notUsed(s server) []check.Entry {
	if s.endpoint.SSL || s.TLSOnly || s.Facts.Server == nil || s.Facts.Settings.Value("ssl") != "on" {
		return nil
	}
	return []check.Entry{check.Warn(check.TLS, check.TLSNotUsed,
		s.name()+" offers TLS, and "+s.path+"ssl is false: all data, and logins, cross the network unencrypted", s.send(`"ssl": true`))}
}

// name returns what to call the server.
func (s *server) name() string {
	if s.path != "" {
		return "the primary"
	}
	return "the server"
}

// send says to send members of the payload, in the part of it that the server has.
func (s *server) send(members string) string {
	if s.path != "" {
		return "send " + members + " in primary"
	}
	return "send " + members
}

// tlsOnly says that the server rejects the role without TLS.
func tlsOnly(s server) string {
	return s.name() + " accepts this role over TLS only, and " + s.path + "ssl is false"
}

func tlsFindings(s server) []check.Entry {
	var findings []check.Entry
	fail := func(code check.Code, message, fix string) {
		findings = append(findings, check.Fail(check.TLS, code, message, fix))
	}
	if s.TLSOnly {
		fail(check.TLSRequired, tlsOnly(s), s.send(`"ssl": true`))
	}
	f := s.StoppedAt(facts.Encrypted)
	if f == nil {
		return findings
	}
	const cleartext = "the server asks for the password in cleartext, which is sent over TLS only, and ssl is false"
	switch f.Kind {
	case facts.TLSNotOffered:
		fail(check.TLSNotSupported, "the server does not offer TLS, which a superuser can turn on, and ssl is true",
			annotate("ALTER SYSTEM SET ssl = on", s.where(), "with ssl_cert_file and ssl_key_file in place", "then SELECT pg_reload_conf()"))
	case facts.RootsUnreadable:
		fail(check.TLSCertificateInvalid, "the certificate authorities to verify the server with could not be read", "")
	case facts.CertificateUnknownAuthority, facts.CertificateOtherHost, facts.CertificateExpired,
		facts.CertificateNotYetValid, facts.CertificateNotVerified:
		findings = append(findings, invalidCertificate(s, *f))
	case facts.CleartextWithoutTLS:
		fail(check.TLSRequired, cleartext, s.send(`"ssl": true`))
	case facts.CleartextNoTLS:
		fail(check.TLSRequired, cleartext, "set the method scram-sha-256 in pg_hba.conf in place of password, or turn TLS on, on the server")
	case facts.TLSTooOld:
		fail(check.TLSFailed, "the server offers only versions of TLS before 1.2, which are insecure and not supported here", newerTLS(s))
	default: // facts.HandshakeFailed
		fail(check.TLSFailed, "the TLS handshake failed: "+f.Detail, "")
	}
	return findings
}

// newerTLS returns how to let the server use newer versions of TLS.
func newerTLS(s server) string {
	const name = "ssl_max_protocol_version"
	if s.provider() != selfHosted {
		return s.setting(name, "TLSv1.3")
	}
	return annotate("ALTER SYSTEM SET "+name+" = 'TLSv1.3'", "as a superuser", s.where(), "then SELECT pg_reload_conf()")
}

// invalidCertificate returns the finding about a certificate that could not be
// verified. The fix follows the reason.
func invalidCertificate(s server, f facts.Failure) check.Entry {
	fail := func(message, fix string) check.Entry {
		return check.Fail(check.TLS, check.TLSCertificateInvalid, "the server's certificate "+message, fix)
	}
	switch f.Kind {
	case facts.CertificateUnknownAuthority:
		fix := "send the certificate of that authority in " + s.path + "ssl_root_cert"
		if s.endpoint.SSLRootCert != "" {
			fix += ", in place of or in addition to the ones that were sent"
		}
		return fail("was issued by an authority that is not trusted here: "+f.Detail, fix)
	case facts.CertificateOtherHost:
		if f.Detail == "" {
			return fail("names no host: it has no subject alternative name",
				"give the server a certificate with "+quote.Name(s.endpoint.Hostname)+" as a subject alternative name")
		}
		return fail("is for another host: it names "+f.Detail+", and not "+quote.Name(s.endpoint.Hostname),
			"send as "+s.path+"hostname a name that the certificate has, or give the server a certificate for "+quote.Name(s.endpoint.Hostname))
	case facts.CertificateExpired:
		return fail("expired on "+f.Detail, "renew the server's certificate")
	case facts.CertificateNotYetValid:
		return fail("is not valid before "+f.Detail, "give the server a certificate that is valid now, and check its clock")
	default: // facts.CertificateNotVerified
		return fail("could not be verified: "+f.Detail, "give the server a certificate that is valid for a TLS server")
	}
}
