package database

import (
	"context"
	"slices"
	"strings"

	"github.com/headgate/headgate/internal/apierror"
)

// The values of authentication.
const (
	AuthenticationPassword = "password"
	AuthenticationRDSIAM   = "rds_iam"
)

// Tokens makes the tokens that RDS accepts in place of a password.
type Tokens interface {
	// Token returns a token for one login at e, valid for 15 minutes. Its signature
	// covers the host, the port and the user name.
	Token(ctx context.Context, e Endpoint, region string) (Password, error)
}

// IAM is who may sign in by IAM, and with which tokens. The zero IAM lets nobody.
type IAM struct {
	Tokens   Tokens
	Accounts []string
}

// ByIAM reports whether sessions with e sign in with a token in place of a password.
func (e Endpoint) ByIAM() bool { return e.Authentication == AuthenticationRDSIAM }

// storesPassword reports whether e's password is kept here.
func (e Endpoint) storesPassword() bool { return e.PasswordSecretARN == "" && !e.ByIAM() }

// rdsRegion returns the region of an RDS or Aurora endpoint, empty for any other host.
// It is the label before rds.amazonaws.com, and in China the one after rds (RDS User
// Guide, "Finding the connection information for an RDS for PostgreSQL DB instance").
func rdsRegion(hostname string) string {
	host := strings.ToLower(strings.TrimSuffix(hostname, "."))
	if rest, ok := strings.CutSuffix(host, ".rds.amazonaws.com"); ok {
		instance, region, ok := cutLast(rest)
		return regionOf(ok && strings.Contains(instance, "."), region)
	}
	rest, ok := strings.CutSuffix(host, ".amazonaws.com.cn")
	instance, region, cut := cutLast(rest)
	return regionOf(ok && cut && strings.HasSuffix(instance, ".rds") && strings.Count(instance, ".") > 1, region)
}

// cutLast cuts s around its last dot.
func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+1:], true
}

// regionOf returns region if endpoint is true and it has the form of a region, such as
// eu-west-1.
func regionOf(endpoint bool, region string) string {
	if !endpoint || strings.Count(region, "-") < 2 || !isDigit(region[len(region)-1]) {
		return ""
	}
	return region
}

const notPermitted = `must not be "rds_iam" for this account: whoever deploys headgate lists the accounts that may sign in as its role`

func (i IAM) permits(account string) bool {
	return i.Tokens != nil && slices.Contains(i.Accounts, account)
}

// refusal returns the error of a target that the account may not sign in to by IAM.
func (i IAM) refusal(account string, t Target) error {
	faults := apierror.FieldErrors{}
	if !i.permits(account) {
		if t.Endpoint.ByIAM() {
			faults.Add("authentication", notPermitted)
		}
		if t.Primary != nil && t.Primary.ByIAM() {
			faults.Add("primary.authentication", notPermitted)
		}
	}
	return faults.AsError()
}

// signIn replaces the password by a new token.
func (s *Service) signIn(ctx context.Context, account string, e Endpoint, p *Password, prefix string, faults apierror.FieldErrors) error {
	if !s.IAM.permits(account) {
		faults.Add(prefix+"authentication", notPermitted)
		return nil
	}
	token, err := s.IAM.Tokens.Token(ctx, e, rdsRegion(e.Hostname))
	if err != nil {
		return apierror.New(apierror.Internal, "no token could be made", err)
	}
	*p = token
	return nil
}

// applyAuthentication applies what e says of how to sign in to base, which the other
// fields were applied to.
func (e endpointPatch) applyAuthentication(base *Endpoint, prefix string, faults apierror.FieldErrors) {
	wasByIAM := base.ByIAM()
	if e.authentication != nil {
		base.Authentication = ""
		if *e.authentication == AuthenticationRDSIAM {
			base.Authentication = AuthenticationRDSIAM
		}
	}
	if !base.ByIAM() {
		if wasByIAM && e.secretARN == nil {
			require(faults, prefix+"password", e.password == nil)
		}
		return
	}
	if e.password != nil {
		faults.Add(prefix+"password", `must not be given together with authentication "rds_iam", which replaces it`)
	}
	if e.secretARN != nil {
		faults.Add(prefix+secretARN, `must not be given together with authentication "rds_iam", which replaces it`)
	}
	if e.ssl != nil && !*e.ssl {
		faults.Add(prefix+"ssl", `must not be false with authentication "rds_iam", whose tokens are sent over TLS only`)
	}
	if e.sslMode != nil && *e.sslMode == SSLModeRequire {
		faults.Add(prefix+"ssl_mode", `must be "verify-full" with authentication "rds_iam"`)
	}
	if given(e.sslRootCert) {
		faults.Add(prefix+"ssl_root_cert", `must not be given with authentication "rds_iam": tokens are sent only to servers that Amazon RDS's authorities verify`)
	}
	if base.Hostname != "" && rdsRegion(base.Hostname) == "" {
		faults.Add(prefix+"hostname", `must be the name of an RDS or Aurora endpoint with authentication "rds_iam", as in orders.c1a2b3.eu-west-1.rds.amazonaws.com`)
	}
	base.PasswordSecretARN, base.UsernameFromSecret = "", false
	base.SSL, base.SSLMode, base.SSLRootCert = true, SSLModeVerifyFull, ""
}
