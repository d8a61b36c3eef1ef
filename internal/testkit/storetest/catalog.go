package storetest

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// RunCatalog tests the catalogs that open returns.
func RunCatalog(t *testing.T, open func(*testing.T) database.Catalog) {
	tests := map[string]func(*testing.T, database.Catalog){
		"an inserted database is read completely":           insertedIsRead,
		"a database that was not inserted is not found":     missingIsNotFound,
		"the name of another database is rejected":          takenNameIsRefused,
		"a repeated insert succeeds":                        sameInsertIsDone,
		"of 32 concurrent inserts of one name one succeeds": oneOfManyWins,
		"32 concurrent inserts of one database succeed":     sameInsertsAllSucceed,
		"two accounts can use the same name":                accountsAreApart,
		"long and unusual names are stored unchanged":       oddNames,
		"after the end of the context nothing is inserted":  endedContextInsert,
	}
	for _, more := range []map[string]func(*testing.T, database.Catalog){updateTests(), deleteTests(), listTests(), claimTests(), resultTests(), healthTests(), slotTests(), publicationTests(), pendingTests()} {
		maps.Copy(tests, more)
	}
	run(t, tests, open)
}

func insertedIsRead(t *testing.T, c database.Catalog) {
	ctx, d := Context(t), Database(Account(), "orders")
	must(t, c.Insert(ctx, d, nil))
	wantStored(t, c, d)
	bare := database.Database{ID: ID(), Account: d.Account, Name: "bare", CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt}
	must(t, c.Insert(ctx, bare, nil))
	wantStored(t, c, bare)
}

// wantStored fails the test unless c has d and its name.
func wantStored(t *testing.T, c database.Catalog, d database.Database) {
	t.Helper()
	ctx := Context(t)
	got, err := c.Get(ctx, d.Account, d.ID)
	must(t, err)
	if !reflect.DeepEqual(got, d) {
		t.Errorf("stored %+v, want %+v", got, d)
	}
	owner, err := c.NameOwner(ctx, d.Account, d.Name)
	must(t, err)
	if owner != d.ID {
		t.Errorf("the name %q belongs to %s, want %s", d.Name, owner, d.ID)
	}
}

func missingIsNotFound(t *testing.T, c database.Catalog) {
	ctx, d := Context(t), Database(Account(), "orders")
	must(t, c.Insert(ctx, d, nil))
	_, err := c.Get(ctx, d.Account, ID())
	wantKind(t, err, apierror.NotFound)
	_, err = c.Get(ctx, Account(), d.ID)
	wantKind(t, err, apierror.NotFound)
	_, err = c.NameOwner(ctx, d.Account, "Orders")
	wantKind(t, err, apierror.NotFound)
}

func takenNameIsRefused(t *testing.T, c database.Catalog) {
	ctx, first := Context(t), Database(Account(), "orders")
	must(t, c.Insert(ctx, first, nil))
	second := Database(first.Account, first.Name)
	wantError(t, c.Insert(ctx, second, nil), database.ErrNameTaken)
	wantStored(t, c, first)
	_, err := c.Get(ctx, second.Account, second.ID)
	wantKind(t, err, apierror.NotFound)
}

func sameInsertIsDone(t *testing.T, c database.Catalog) {
	ctx, d := Context(t), Database(Account(), "orders")
	must(t, c.Insert(ctx, d, nil))
	must(t, c.Insert(ctx, d, nil))
	wantStored(t, c, d)
}

func oneOfManyWins(t *testing.T, c database.Catalog) {
	ctx, account := Context(t), Account()
	rivals := make([]database.Database, racers)
	for i := range rivals {
		rivals[i] = Database(account, "orders")
	}
	winner := onlyWinner(t, Race(racers, func(i int) error { return c.Insert(ctx, rivals[i], nil) }), database.ErrNameTaken)
	wantStored(t, c, rivals[winner])
	for i, d := range rivals {
		if _, err := c.Get(ctx, account, d.ID); i != winner {
			wantKind(t, err, apierror.NotFound)
		}
	}
}

func sameInsertsAllSucceed(t *testing.T, c database.Catalog) {
	ctx, d := Context(t), Database(Account(), "orders")
	must(t, errors.Join(Race(racers, func(int) error { return c.Insert(ctx, d, nil) })...))
	wantStored(t, c, d)
}

func accountsAreApart(t *testing.T, c database.Catalog) {
	ctx, first := Context(t), Database(Account(), "orders")
	second := Database(first.Account+"-", first.Name)
	must(t, c.Insert(ctx, first, nil))
	must(t, c.Insert(ctx, second, nil))
	wantStored(t, c, first)
	wantStored(t, c, second)
}

func oddNames(t *testing.T, c database.Catalog) {
	account := Account()
	for _, name := range []string{
		strings.Repeat("n", 255), "a", "A", "...", "-", "_", "name#orders", "database#" + ID(), "a/b", "ö", "a b", "%", "'\"",
	} {
		d := Database(account, name)
		must(t, c.Insert(Context(t), d, nil))
		wantStored(t, c, d)
	}
}

func endedContextInsert(t *testing.T, c database.Catalog) {
	ctx, cancel := context.WithCancel(Context(t))
	cancel()
	d := Database(Account(), "orders")
	wantKind(t, c.Insert(ctx, d, nil), apierror.Unavailable)
	_, err := c.Get(ctx, d.Account, d.ID)
	wantKind(t, err, apierror.Unavailable)
	_, err = c.Get(Context(t), d.Account, d.ID)
	wantKind(t, err, apierror.NotFound)
}
