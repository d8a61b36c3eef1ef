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

// RunCatalog tests the catalogs that open gives.
func RunCatalog(t *testing.T, open func(*testing.T) database.Catalog) {
	tests := map[string]func(*testing.T, database.Catalog){
		"an inserted database is read back whole":          insertedIsRead,
		"what was not inserted is not found":               missingIsNotFound,
		"a name that another database has is refused":      takenNameIsRefused,
		"the same insert again counts as done":             sameInsertIsDone,
		"of 32 racing inserts of one name one wins":        oneOfManyWins,
		"of 32 racing inserts of one database all succeed": sameInsertsAllSucceed,
		"the names of two accounts do not meet":            accountsAreApart,
		"long and odd names are kept as they are":          oddNames,
		"a context that has ended changes nothing":         endedContextInsert,
	}
	for _, more := range []map[string]func(*testing.T, database.Catalog){updateTests(), deleteTests(), listTests(), claimTests(), resultTests()} {
		maps.Copy(tests, more)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func insertedIsRead(t *testing.T, c database.Catalog) {
	ctx, d := Context(t), Database(Account(), "orders")
	must(t, c.Insert(ctx, d, nil))
	wantStored(t, c, d)
	bare := database.Database{ID: ID(), Account: d.Account, Name: "bare", CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt}
	must(t, c.Insert(ctx, bare, nil))
	wantStored(t, c, bare)
}

// wantStored fails the test unless d is in c and has its name.
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
		t.Errorf("the name %q is %s's, want %s", d.Name, owner, d.ID)
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
	if err := c.Insert(ctx, second, nil); !errors.Is(err, database.ErrNameTaken) {
		t.Fatalf("error %v, want ErrNameTaken", err)
	}
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
	winner := -1
	for i, err := range race(racers, func(i int) error { return c.Insert(ctx, rivals[i], nil) }) {
		switch {
		case err == nil && winner >= 0:
			t.Fatalf("both %d and %d have won", winner, i)
		case err == nil:
			winner = i
		case !errors.Is(err, database.ErrNameTaken):
			t.Errorf("error %v, want ErrNameTaken", err)
		}
	}
	if winner < 0 {
		t.Fatal("nobody has won")
	}
	wantStored(t, c, rivals[winner])
	for i, d := range rivals {
		if _, err := c.Get(ctx, account, d.ID); i != winner {
			wantKind(t, err, apierror.NotFound)
		}
	}
}

func sameInsertsAllSucceed(t *testing.T, c database.Catalog) {
	ctx, d := Context(t), Database(Account(), "orders")
	must(t, errors.Join(race(racers, func(int) error { return c.Insert(ctx, d, nil) })...))
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
