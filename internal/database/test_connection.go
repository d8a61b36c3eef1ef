package database

import (
	"context"
	"slices"
	"strings"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
)

// TestConnection checks the target of a registered database. A failed check is
// in the report; the error's kind is NotFound, Throttled, Unavailable or
// Internal.
func (s *Service) TestConnection(ctx context.Context, account, ref string) (check.Report, error) {
	d, err := s.Get(ctx, account, ref)
	if err != nil {
		return nil, err
	}
	t, report, err := s.targetOf(ctx, d)
	if err != nil || report != nil {
		return report, err
	}
	x := s.Prober.Probe(ctx, t)
	return x.Report, x.busy()
}

// passwordUnavailable returns the report of a target that was not dialled
// because the secrets with its passwords can't be read.
func passwordUnavailable(faults apierror.FieldErrors) check.Report {
	var reasons []string
	for field, messages := range faults {
		reasons = append(reasons, field+" "+strings.Join(messages, ", "))
	}
	slices.Sort(reasons)
	message := "there is no password to log in with: " + strings.Join(reasons, "; ")
	return onlyChecks(check.Fail(check.Authentication, check.AuthenticationFailed, message, ""))
}
