package database

import (
	"context"

	"github.com/headgate/headgate/internal/check"
)

// MaxListBytes is the size limit of a list as it is sent: within a JSON string, which is
// what a body is in the response of a function. Lambda's limit for that is 6 MiB.
const MaxListBytes = 5_000_000

// RefreshTables passes the tables that the publication of a registered database has
// now to add, one by one, until add returns false. Where they can't be read, the report
// has the failed check; the error is as TestConnection's.
func (s *Service) RefreshTables(ctx context.Context, account, ref string, add func(Table) bool) (check.Report, error) {
	d, err := s.Get(ctx, account, ref)
	if err != nil {
		return nil, err
	}
	t, report, err := s.targetOf(ctx, d)
	if err != nil || report != nil {
		return report, err
	}
	x := s.Prober.RefreshTables(ctx, t, add)
	return x.Report, x.busy()
}
