package database

import (
	"context"

	"github.com/headgate/headgate/internal/check"
)

// RefreshTables returns the tables that the publication of a registered database
// has now. Where they can't be read, the report has the failed check; the error
// is as TestConnection's.
func (s *Service) RefreshTables(ctx context.Context, account, ref string) (Tables, check.Report, error) {
	d, err := s.Get(ctx, account, ref)
	if err != nil {
		return Tables{}, nil, err
	}
	t, report, err := s.targetOf(ctx, d)
	if err != nil || report != nil {
		return Tables{}, report, err
	}
	tables, report := s.Prober.RefreshTables(ctx, t)
	return tables, report, nil
}
