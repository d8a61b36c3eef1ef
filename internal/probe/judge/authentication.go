package judge

import (
	"github.com/jackc/pgerrcode"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

func judgeAuthentication(s subject) []check.Entry { return authenticationFindings(s.server) }

func authenticationFindings(s server) []check.Entry {
	var findings []check.Entry
	if f := s.StoppedAt(facts.LoggedIn); f != nil {
		findings = append(findings, loginFailure(s, *f))
	}
	// The other reasons to reject a walsender have checks of their own.
	if m := s.SessionRejected; m != nil && s.endpoint.ByIAM() && pgerrcode.IsInvalidAuthorizationSpecification(m.SQLSTATE) {
		findings = append(findings, check.Fail(check.Authentication, check.IAMReplicationOff,
			"the server lets role "+quote.Identifier(s.endpoint.Username)+" in with a token, but not for replication, which a consumer needs",
			"set rds.iam_auth_for_replication to 1 in the DB parameter group (of Aurora: the DB cluster parameter group)"))
	} else if m != nil && !s.rejectedWith(pgerrcode.InsufficientPrivilege, pgerrcode.TooManyConnections, pgerrcode.ProtocolViolation) {
		findings = append(findings, loginRejection(s, facts.Failure{Kind: facts.LoginRejected, Server: m}))
	}
	if f := s.answersNothing(); f != nil {
		findings = append(findings, check.Fail(check.Authentication, check.ServerError,
			"the server accepted the login, and answered no question in the session: "+unansweredBecause(*f), ""))
	}
	return findings
}

// answersNothing returns why a target answered none of the questions that matter, not
// even which server it is; nil if it answered one. Nothing is known about it then, so it
// can't be accepted with warnings alone.
func (s *server) answersNothing() *facts.Failure {
	f, asked := s.Unanswered[facts.PartServer]
	if s.path != "" || !asked || s.Lost != nil || s.Facts.Answered(facts.PartPublication) || s.Facts.Answered(facts.PartSlot) {
		return nil
	}
	return &f
}

// rejectedWith reports whether the server rejected the session that was wanted,
// with one of sqlstates.
func (s *server) rejectedWith(sqlstates ...string) bool {
	if s.SessionRejected == nil {
		return false
	}
	for _, state := range sqlstates {
		if s.SessionRejected.SQLSTATE == state {
			return true
		}
	}
	return false
}

func loginFailure(s server, f facts.Failure) check.Entry {
	fail := func(code check.Code, message, fix string) check.Entry {
		return check.Fail(check.Authentication, code, message, fix)
	}
	switch f.Kind {
	case facts.LoginRejected:
		return loginRejection(s, f)
	case facts.ClientCertificateRequested:
		return clientCertificate(s, quote.Identifier(s.endpoint.Username), quote.Identifier(s.endpoint.Database))
	case facts.NoProcess:
		return fail(check.ServerUnavailable, "the server could not accept another connection", "")
	case facts.CleartextUnverified:
		fix := s.send(`"ssl_mode": "verify-full"`)
		if s.endpoint.SSLRootCert != "" {
			fix = "set the method scram-sha-256 in pg_hba.conf in place of password, or give the server a certificate of a public authority and send no " + s.path + "ssl_root_cert"
		}
		return fail(check.ConnectionNotPermitted,
			"the server asks for the password in cleartext, and a password from a referenced secret is sent only to a server "+
				"that a public authority or Amazon RDS's verifies", fix)
	case facts.KerberosRequested:
		return fail(check.ConnectionNotPermitted, "the server asks for Kerberos (GSSAPI or SSPI) from this role, not for a password",
			admit(s, quote.Identifier(s.endpoint.Username), quote.Identifier(s.endpoint.Database)))
	case facts.ProofFailed:
		return fail(check.AuthenticationFailed,
			"the login could not be completed: server and client did not agree on the proof of the password", "")
	default: // facts.SetupFailed
		return fail(check.ServerError, "the session could not be set up", "")
	}
}
