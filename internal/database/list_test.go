package database_test

import (
	"context"
	"fmt"
	"sort"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/database"
)

// TestTenThousandDatabasesAreListedAtOnceAndInPages prints what it took; the
// figures are in the README.
func TestTenThousandDatabasesAreListedAtOnceAndInPages(t *testing.T) {
	t.Parallel()
	const many = 10_000
	f := newFixture(t)
	catalog := &manyCatalog{Catalog: f.store.Catalog()}
	for i := range many {
		catalog.all = append(catalog.all, database.Database{
			ID: fmt.Sprintf("01980f3e-6c1b-7a52-9d0e-%012x", i), Account: "acme", Name: fmt.Sprintf("database-%d", i),
			Endpoint: database.Endpoint{Hostname: "db.example.com", Port: 5432, Database: "postgres", Username: "postgres", SSL: true},
			Slot:     database.Slot{ID: "01980f3e-6c1b-7a52-9d0e-3b6f1c2a4e11", PublicationName: "p", SlotName: "s", Status: "active"},
		})
	}
	f.service.Catalog = catalog
	for name, limit := range map[string]int{"at once": 0, "in pages of 1,000": 1000} {
		began := time.Now()
		seen, cursor := map[string]bool{}, ""
		for {
			page, err := f.service.List(t.Context(), "acme", database.ListOptions{Limit: limit, Cursor: cursor})
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range page.IDs {
				seen[id] = true
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		if len(seen) != many {
			t.Errorf("%s: %d were listed, want %d", name, len(seen), many)
		}
		t.Logf("%s: %s a database beside the store's own time", name, time.Since(began)/many)
	}
}

// manyCatalog has databases that were not inserted one by one: what a store
// takes to list as many is measured where the stores are.
type manyCatalog struct {
	database.Catalog
	all []database.Database
}

func (c *manyCatalog) List(_ context.Context, _, after string, limit int) ([]database.Database, error) {
	from := 0
	if after != "" {
		from = sort.Search(len(c.all), func(i int) bool { return c.all[i].ID > after })
	}
	return c.all[from:min(from+limit, len(c.all))], nil
}
