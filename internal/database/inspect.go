package database

import "context"

// Test checks the target of a database as it is registered. The report may have
// failures; the error's kind is NotFound, Throttled, Unavailable or Internal.
func (s *Service) Test(ctx context.Context, account, ref string) (Report, error) {
	t, err := s.target(ctx, account, ref)
	if err != nil {
		return nil, err
	}
	return s.Prober.Probe(ctx, t), nil
}

// Tables lists what the publication of a database holds now. Where they could
// not be had, the report has the failure. The error is as Test's.
func (s *Service) Tables(ctx context.Context, account, ref string) (Tables, Report, error) {
	t, err := s.target(ctx, account, ref)
	if err != nil {
		return Tables{}, nil, err
	}
	tables, report := s.Prober.Tables(ctx, t)
	return tables, report, nil
}

// target is a registered database as a probe needs it.
func (s *Service) target(ctx context.Context, account, ref string) (Target, error) {
	d, err := s.Get(ctx, account, ref)
	if err != nil {
		return Target{}, err
	}
	p, err := s.Passwords(ctx, d)
	if err != nil {
		return Target{}, err
	}
	return s.resolve(ctx, account, Target{Endpoint: d.Endpoint, Primary: d.Primary, Passwords: p, Slot: d.Slot})
}
