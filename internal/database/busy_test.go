package database_test

import (
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

// TestSafety_Busy holds that a target is not to blame if this process was too busy to
// look at it, whatever the report says.
func TestSafety_Busy(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(*fixture, database.Database) error{
		"create": func(f *fixture, _ database.Database) error {
			_, err := f.service.Create(f.t.Context(), "acme", f.payload(with(base(), "name", "second")), "")
			return err
		},
		"update": func(f *fixture, d database.Database) error {
			_, err := f.update(d.ID, `{"port":6432}`, true)
			return err
		},
		"a dry run of an update": func(f *fixture, d database.Database) error {
			_, err := f.dryRunUpdate(d.ID, `{"port":6432}`)
			return err
		},
		"test_connection": func(f *fixture, d database.Database) error {
			_, err := f.service.TestConnection(f.t.Context(), "acme", d.ID)
			return err
		},
		"refresh_tables": func(f *fixture, d database.Database) error {
			_, err := f.service.RefreshTables(f.t.Context(), "acme", d.ID, func(database.Table) bool { return true })
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			d := f.create(base())
			f.prober.outOfTime, f.prober.findings = true, check.Report{check.Fail(check.Connection, check.ConnectionTimeout, "busy", "")}
			if err := call(f, d); apierror.KindOf(err) != apierror.Throttled {
				t.Errorf("error %v", err)
			}
			listed, err := f.list("acme", 0, database.ListOptions{})
			if err != nil || len(listed) != 1 || render(t, listed[0].Database) != render(t, d) {
				t.Errorf("registered are %+v, error %v", listed, err)
			}
		})
	}
}
