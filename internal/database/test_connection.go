package database

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
)

// TestConnection checks the target of a registered database. A failed check is
// in the report; the error's kind is NotFound, Throttled, Unavailable or
// Internal.
func (s *Service) TestConnection(ctx context.Context, account, ref string) (check.Report, error) {
	t, report, err := s.registered(ctx, account, ref)
	if err != nil || report != nil {
		return report, err
	}
	return s.Prober.Probe(ctx, t).Report, nil
}

// registered returns the target of a registered database. Where a password is in
// a secret that can't be read, it returns the report that says so instead.
func (s *Service) registered(ctx context.Context, account, ref string) (Target, check.Report, error) {
	d, err := s.Get(ctx, account, ref)
	if err != nil {
		return Target{}, nil, err
	}
	p, err := s.Passwords(ctx, d)
	if err != nil {
		return Target{}, nil, err
	}
	t, err := s.resolve(ctx, account, d.target(p))
	if e, ok := errors.AsType[*apierror.Error](err); ok && e.Kind == apierror.Invalid {
		return Target{}, passwordUnavailable(e.Fields), nil
	}
	return t, nil, err
}

// passwordUnavailable returns the report of a target that was not dialled
// because the secrets with its passwords can't be read.
func passwordUnavailable(faults apierror.FieldErrors) check.Report {
	var reasons []string
	for field, messages := range faults {
		reasons = append(reasons, field+" "+strings.Join(messages, ", "))
	}
	slices.Sort(reasons)
	var report check.Report
	for _, name := range check.Names() {
		e := check.Entry{Name: name, Status: check.Skipped}
		if name == check.Authentication {
			e.Status, e.Code = check.Failed, check.AuthenticationFailed
			e.Message = "there is no password to log in with: " + strings.Join(reasons, "; ")
		}
		report = append(report, e)
	}
	return report
}
