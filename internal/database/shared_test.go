package database_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

// shared returns the message of d's warning about its slot, empty for none.
func shared(d database.Database) string {
	for _, w := range d.Warnings {
		if w.Code == check.SlotShared {
			return w.Message
		}
	}
	return ""
}

func TestCreate_SharedSlot(t *testing.T) {
	t.Parallel()
	f := makingFixture(t)
	first := f.create(base())
	t.Run("the second database of an account is warned, whatever its host is called", func(t *testing.T) {
		second := f.create(with(with(base(), "name", "second"), "hostname", "alias.example.com"))
		if !strings.Contains(shared(second), `"example-db"`) || shared(first) != "" {
			t.Errorf("warnings %v and %v", first.Warnings, second.Warnings)
		}
		stored, err := f.service.Get(t.Context(), "acme", second.ID)
		if err != nil || shared(stored) == "" {
			t.Errorf("stored %v, error %v", stored.Warnings, err)
		}
		third := f.create(with(base(), "name", "third"))
		if !strings.Contains(shared(third), "and at least one more") {
			t.Errorf("warnings %v", third.Warnings)
		}
	})
	t.Run("another account's databases are not told", func(t *testing.T) {
		c, err := f.service.Create(t.Context(), "other", f.payload(base()), "")
		if err != nil || shared(c.Database) != "" {
			t.Errorf("warnings %v, error %v", c.Database.Warnings, err)
		}
	})
	t.Run("an update to another slot and back is warned again", func(t *testing.T) {
		u, err := f.update("second", `{"replication_slots":[{"slot_name":"own"}]}`, true)
		if err != nil || shared(u.Database) != "" {
			t.Fatalf("warnings %v, error %v", u.Database.Warnings, err)
		}
		u, err = f.update("second", `{"replication_slots":[{"slot_name":"sequin_slot"}]}`, true)
		if err != nil || shared(u.Database) == "" {
			t.Errorf("warnings %v, error %v", u.Database.Warnings, err)
		}
	})
	t.Run("after the others are deleted there is no warning", func(t *testing.T) {
		for _, name := range []string{"example-db", "second", "third"} {
			if _, err := f.service.Delete(t.Context(), "acme", name, database.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if d := f.create(base()); shared(d) != "" {
			t.Errorf("warnings %v", d.Warnings)
		}
	})
}

// countedReads counts the databases that are read.
type countedReads struct {
	database.Catalog
	gets int
}

func (c *countedReads) Get(ctx context.Context, account, id string) (database.Database, error) {
	c.gets++
	return c.Catalog.Get(ctx, account, id)
}

// TestCreate_SharedByMany has a slot with many databases, of two accounts.
func TestCreate_SharedByMany(t *testing.T) {
	t.Parallel()
	f := makingFixture(t)
	create := func(s *database.Service, account, name string) database.Database {
		c, err := s.Create(t.Context(), account, f.payload(with(base(), "name", name)), "")
		if err != nil {
			t.Fatal(err)
		}
		return c.Database
	}
	for i := range 20 {
		for _, account := range []string{"a-first", "acme"} {
			create(f.service, account, fmt.Sprint("many-", i))
		}
	}
	counted, reads := *f.service, &countedReads{Catalog: f.service.Catalog}
	counted.Catalog = reads
	d := create(&counted, "acme", "last")
	if !strings.Contains(shared(d), `"many-0" and at least one more`) || reads.gets != 2 {
		t.Errorf("warnings %v after %d reads, want no more than the warning needs", d.Warnings, reads.gets)
	}
}

// reported returns how many warnings about a shared slot a report has. A check with one
// has not passed.
func reported(t *testing.T, report check.Report, err error) int {
	t.Helper()
	n := 0
	for _, e := range report {
		if e.Name == check.ReplicationSlot && e.Status == check.Passed {
			t.Errorf("%+v", e)
		}
		if e.Code == check.SlotShared {
			n++
		}
	}
	if err != nil {
		t.Error(err)
	}
	return n
}

// TestSharedSlot_Reports looks for the warning in the checks that keep nothing, and after
// updates of what is not the slot.
func TestSharedSlot_Reports(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		account string // of the other database
		slot    string
		known   bool // whether the server is known when the database is registered
		want    int
	}{
		"another database of the account":    {"acme", "sequin_slot", true, 1},
		"a server that was not known before": {"acme", "sequin_slot", false, 1},
		"a database of another account":      {"other", "sequin_slot", true, 0},
		"another database with another slot": {"acme", "another", true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := makingFixture(t)
			source := f.prober.source
			if !tt.known {
				f.prober.source = ""
			}
			d := f.create(base())
			f.prober.source = source
			if _, err := f.service.Create(t.Context(), tt.account, f.payload(with(slotWith("slot_name", tt.slot), "name", "second")), ""); err != nil {
				t.Fatal(err)
			}
			report, err := f.service.DryRunCreate(t.Context(), "acme", f.payload(with(base(), "name", "third")))
			want := tt.want
			if tt.known && tt.slot == "sequin_slot" || tt.slot != "sequin_slot" {
				want = 1 // the first database has it
			}
			if got := reported(t, report, err); got != want {
				t.Errorf("a dry run of a create: %d warnings, want %d", got, want)
			}
			report, err = f.dryRunUpdate(d.ID, `{}`)
			if got := reported(t, report, err); got != tt.want {
				t.Errorf("a dry run of an update: %d warnings, want %d", got, tt.want)
			}
			for range 2 {
				report, err = f.service.TestConnection(t.Context(), "acme", d.ID)
				if got := reported(t, report, err); got != tt.want {
					t.Errorf("test_connection: %d warnings, want %d", got, tt.want)
				}
			}
			for _, password := range []string{"next", "another"} {
				u, err := f.update(d.ID, `{"password":"`+password+`"}`, true)
				n := 0
				for _, w := range u.Database.Warnings {
					if w.Code == check.SlotShared {
						n++
					}
				}
				if err != nil || n != tt.want {
					t.Errorf("an update: warnings %v, error %v", u.Database.Warnings, err)
				}
			}
		})
	}
}

// TestSharedSlot_Refused refuses targets whose slot another database has: no fix drops it.
func TestSharedSlot_Refused(t *testing.T) {
	t.Parallel()
	for account, own := range map[string]bool{"acme": false, "other": true} {
		f := makingFixture(t)
		f.create(base())
		f.prober.findings = check.Report{check.Fail(check.PublicationOrder, check.PublicationAfterSlot, "m", "SELECT pg_drop_replication_slot")}
		p := f.payload(with(base(), "name", "second"))
		_, createErr := f.service.Create(t.Context(), account, p, "")
		_, dryErr := f.service.DryRunCreate(t.Context(), account, p)
		for _, err := range []error{createErr, dryErr} {
			e, ok := errors.AsType[*apierror.Error](err)
			if !ok || e.Code != check.PublicationAfterSlot || (reported(t, e.Checks, nil) == 0) != own {
				t.Fatalf("%s: %v", account, err)
			}
			if strings.Contains(e.Summary, "pg_drop_replication_slot") != own {
				t.Errorf("%s: %s", account, e.Summary)
			}
		}
	}
}

// TestSharedSlot_Left deletes, and moves, a database whose slot another one has: no
// statement to drop it is printed.
func TestSharedSlot_Left(t *testing.T) {
	t.Parallel()
	for account, who := range map[string]string{"acme": `database "second"`, "other": "another database"} {
		f := makingFixture(t)
		f.maker.exists = both
		d := f.create(base())
		if _, err := f.service.Create(t.Context(), account, f.payload(with(base(), "name", "second")), ""); err != nil {
			t.Fatal(err)
		}
		want := database.LeftOnTarget{
			SlotName: "sequin_slot", PublicationName: "sequin_pub",
			Fix: `replication slot "sequin_slot" is registered for ` + who + ` too: it is not dropped`,
		}
		u, err := f.update(d.ID, `{"replication_slots":[{"slot_name":"new_slot","create_if_not_exists":true}]}`, true)
		if err != nil || u.LeftOnTarget == nil || *u.LeftOnTarget != want {
			t.Errorf("the update: %+v, error %v", u.LeftOnTarget, err)
		}
		if _, err = f.update(d.ID, `{"replication_slots":[{"slot_name":"sequin_slot"}]}`, true); err != nil {
			t.Fatal(err)
		}
		deleted, err := f.service.Delete(t.Context(), "acme", d.ID, database.DeleteOptions{})
		if err != nil || deleted.LeftOnTarget == nil || *deleted.LeftOnTarget != want {
			t.Errorf("the delete: %+v, error %v", deleted.LeftOnTarget, err)
		}
		deleted, err = f.service.Delete(t.Context(), account, "second", database.DeleteOptions{})
		if err != nil || deleted.LeftOnTarget == nil || deleted.LeftOnTarget.Fix != "DROP sequin_slot sequin_pub" {
			t.Errorf("the last one: %+v, error %v", deleted.LeftOnTarget, err)
		}
	}
}
