package database

import (
	"context"
	"errors"
	"strings"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
)

// Test checks the target of a database as it is registered. The report may have
// failures; the error's kind is NotFound, Throttled, Unavailable or Internal.
func (s *Service) Test(ctx context.Context, account, ref string) (check.Report, error) {
	t, unopened, err := s.target(ctx, account, ref)
	if err != nil || unopened != nil {
		return unopened, err
	}
	return s.Prober.Probe(ctx, t), nil
}

// Tables lists what the publication of a database holds now. Where they could
// not be had, the report has the failure. The error is as Test's.
func (s *Service) Tables(ctx context.Context, account, ref string) (Tables, check.Report, error) {
	t, unopened, err := s.target(ctx, account, ref)
	if err != nil || unopened != nil {
		return Tables{}, unopened, err
	}
	tables, report := s.Prober.Tables(ctx, t)
	return tables, report, nil
}

// target is a registered database as a probe needs it, or the report of one
// whose referenced secret can't be opened.
func (s *Service) target(ctx context.Context, account, ref string) (Target, check.Report, error) {
	d, err := s.Get(ctx, account, ref)
	if err != nil {
		return Target{}, nil, err
	}
	p, err := s.Passwords(ctx, d)
	if err != nil {
		return Target{}, nil, err
	}
	t, err := s.resolve(ctx, account, Target{Endpoint: d.Endpoint, Primary: d.Primary, Passwords: p, Slot: d.Slot})
	if e, ok := errors.AsType[*apierror.Error](err); ok && e.Kind == apierror.Invalid {
		return t, withoutPassword(e.Fields), nil
	}
	return t, nil, err
}

// withoutPassword is the report of a target that could not be logged in to for
// want of its password: nothing was dialled.
func withoutPassword(faults apierror.FieldErrors) check.Report {
	var report check.Report
	for _, name := range check.Names() {
		c := check.Entry{Name: name, Status: check.Skipped}
		if name == check.Authentication {
			var reasons []string
			for field, messages := range faults {
				reasons = append(reasons, field+" "+strings.Join(messages, ", "))
			}
			c.Status, c.Code, c.Message = check.Failed, "authentication_failed", "there is no password to log in with: "+strings.Join(reasons, "; ")
		}
		report = append(report, c)
	}
	return report
}
