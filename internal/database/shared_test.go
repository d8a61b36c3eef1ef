package database_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

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
