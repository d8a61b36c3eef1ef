package database_test

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// list returns the databases of an account, at most limit of them (0 for all).
func (f *fixture) list(account string, limit int, o database.ListOptions) ([]database.Listed, error) {
	f.t.Helper()
	var listed []database.Listed
	for l, err := range f.service.List(f.t.Context(), account, o) {
		if err != nil {
			return listed, err
		}
		if listed = append(listed, l); len(listed) == limit {
			break
		}
	}
	return listed, nil
}

func (f *fixture) cursor(after database.Database) string {
	f.t.Helper()
	cursor, err := f.service.Cursor(f.t.Context(), after)
	if err != nil {
		f.t.Fatal(err)
	}
	return cursor
}

func TestList_Cursors(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var ids []string
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		ids = append(ids, f.create(with(base(), "name", name)).ID)
	}
	t.Run("pages have every database once, in order", func(t *testing.T) {
		var got []string
		cursor := ""
		for {
			page, err := f.list("acme", 2, database.ListOptions{Cursor: cursor})
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, l := range page {
				got = append(got, l.Database.ID)
			}
			cursor = f.cursor(page[len(page)-1].Database)
		}
		if !slices.Equal(got, ids) {
			t.Errorf("IDs %v, want %v", got, ids)
		}
	})
	first, err := f.service.Get(t.Context(), "acme", ids[0])
	if err != nil {
		t.Fatal(err)
	}
	cursor := f.cursor(first)
	for name, bad := range map[string]string{
		"a changed signature": cursor[:len(cursor)-2] + "AA", "another form": "x", "a longer one": cursor + "A", "a shorter one": cursor[:20],
		"a line end in it": cursor[:5] + "\n" + cursor[5:], "a line end after it": cursor + "\r\n", "padding": cursor + "=",
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			if _, err := f.list("acme", 0, database.ListOptions{Cursor: bad}); code(err) != apierror.InvalidPayload {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Run("another account's cursor is refused", func(t *testing.T) {
		if _, err := f.list("other", 0, database.ListOptions{Cursor: cursor}); code(err) != apierror.InvalidPayload {
			t.Errorf("error %v", err)
		}
	})
}

func TestList_Passwords(t *testing.T) {
	t.Parallel()
	for _, wanted := range []bool{true, false} {
		t.Run(fmt.Sprintf("asked for: %v", wanted), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.create(base())
			listed, err := f.list("acme", 0, database.ListOptions{WithPasswords: wanted})
			if err != nil || len(listed) != 1 || (listed[0].Passwords.Main == "secret-password") != wanted {
				t.Errorf("%d databases, error %v", len(listed), err)
			}
		})
	}
}

func TestList_Batches(t *testing.T) {
	t.Parallel()
	const databases = 2500
	tests := []struct {
		name        string
		batch, take int
		reads, want int
	}{
		{"all of them, by 1,000", 0, 0, 3, databases},
		{"all of them, by 500", 500, 0, 6, databases}, // the sixth finds that no more follow
		{"two of them", 3, 2, 1, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			catalog := newCountingCatalog(f.store.Catalog(), databases)
			f.service.Catalog = catalog
			listed, err := f.list("acme", tt.take, database.ListOptions{BatchSize: tt.batch})
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for _, l := range listed {
				seen[l.Database.ID] = true
			}
			if len(seen) != tt.want || catalog.reads != tt.reads {
				t.Errorf("%d databases in %d reads, want %d in %d", len(seen), catalog.reads, tt.want, tt.reads)
			}
		})
	}
}

// countingCatalog lists databases that were not inserted one by one, and counts
// the reads.
type countingCatalog struct {
	database.Catalog
	all   []database.Database
	reads int
}

func newCountingCatalog(c database.Catalog, n int) *countingCatalog {
	counting := &countingCatalog{Catalog: c}
	for i := range n {
		counting.all = append(counting.all, database.Database{ID: fmt.Sprintf("01980f3e-6c1b-7a52-9d0e-%012x", i), Account: "acme"})
	}
	return counting
}

func (c *countingCatalog) List(_ context.Context, _, after string, limit int) ([]database.Database, error) {
	c.reads++
	from := sort.Search(len(c.all), func(i int) bool { return strings.Compare(c.all[i].ID, after) > 0 })
	return c.all[from:min(from+limit, len(c.all))], nil
}
