package probe_test

import (
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

func TestSafety_ReferencedPasswordInCleartext(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgserver.Options{HBA: []string{"host all all 127.0.0.1/32 password"}})
	s := newSource(t, server)
	if report := s.probe(); status(report, check.Authentication) != check.Passed {
		t.Fatalf("a password of its own:%s", describe(report))
	}
	t.Run("a token", func(t *testing.T) {
		iam := s.target
		iam.Endpoint.Authentication = database.AuthenticationRDSIAM
		for _, e := range []database.Endpoint{{}, {SSLMode: database.SSLModeVerifyFull, SSLRootCert: string(server.RootCertPEM())}} {
			iam.Endpoint.SSLMode, iam.Endpoint.SSLRootCert = e.SSLMode, e.SSLRootCert
			if report := prober(t).Probe(t.Context(), iam).Report; status(report, check.Authentication) != check.Failed {
				t.Errorf("%q:%s", e.SSLMode, describe(report))
			}
		}
	})
	s.target.Endpoint.PasswordSecretARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:theirs"
	report := s.probe()
	if found, ok := entry(report, check.ConnectionNotPermitted); !ok || found.Name != check.Authentication || found.Fix == "" {
		t.Errorf("unverified:%s", describe(report))
	}
	s.target.Endpoint.SSLMode, s.target.Endpoint.SSLRootCert = database.SSLModeVerifyFull, string(server.RootCertPEM())
	report = s.probe()
	if found, ok := entry(report, check.ConnectionNotPermitted); !ok || strings.Contains(found.Fix, `"verify-full"`) {
		t.Errorf("verified by the caller's authority:%s", describe(report))
	}
	s.target.Endpoint.SSLRootCert = ""
	if found, ok := entry(s.probe(), check.TLSCertificateInvalid); !ok {
		t.Errorf("verified by no public authority: %+v", found)
	}
}
