package storetest

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// updateRacers is the number of concurrent updates or deletes of one database.
const updateRacers = 16

func updateTests() map[string]func(*testing.T, database.Catalog) {
	return map[string]func(*testing.T, database.Catalog){
		"an updated database is read completely":                                         updatedIsRead,
		"the old name of a renamed database is free":                                     renamed,
		"an update of an old version is rejected":                                        staleUpdate,
		"an update of a missing database is rejected":                                    updateOfMissing,
		"a rename to the name of another database is rejected":                           renameToTaken,
		"a rename of an old version to the name of another database reports the version": staleRename,
		"a repeated update succeeds":                                                     sameUpdateIsDone,
		"a repeated rename succeeds":                                                     sameRenameIsDone,
		"of 16 concurrent updates of one version one succeeds":                           racingUpdates,
		"of a concurrent rename and insert of one name one succeeds":                     renameAgainstInsert,
		"of two concurrent renames to one name one succeeds":                             renameAgainstRename,
		"an update without a change ID is rejected":                                      updateWithoutChange,
		"each update increments the version":                                             updatesInOrder,
	}
}

// insert inserts a database of a new account.
func insert(t *testing.T, c database.Catalog) database.Database {
	t.Helper()
	d := Database(Account(), "orders")
	must(t, c.Insert(Context(t), d, nil))
	return d
}

// changed returns the next version of d.
func changed(d database.Database, change func(*database.Database)) database.Database {
	d.Version++
	d.Change, d.SecretVersion = ID(), ID()
	d.UpdatedAt = d.UpdatedAt.Add(time.Second)
	if change != nil {
		change(&d)
	}
	return d
}

func rename(d database.Database, name string) database.Database {
	return changed(d, func(d *database.Database) { d.Name = name })
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

// wantFree fails the test if a database of the account has the name.
func wantFree(t *testing.T, c database.Catalog, account, name string) {
	t.Helper()
	_, err := c.NameOwner(Context(t), account, name)
	wantKind(t, err, apierror.NotFound)
}

func updatedIsRead(t *testing.T, c database.Catalog) {
	old := insert(t, c)
	d := changed(old, func(d *database.Database) {
		d.Endpoint.Hostname, d.Primary, d.Warnings, d.Slot.Status = "other.example.com", nil, nil, database.SlotDisabled
	})
	must(t, c.Update(Context(t), old, d))
	wantStored(t, c, d)
}

func updatesInOrder(t *testing.T, c database.Catalog) {
	d := insert(t, c)
	for i := range 5 {
		next := rename(d, "orders-"+strconv.Itoa(i))
		must(t, c.Update(Context(t), d, next))
		d = next
	}
	wantStored(t, c, d)
	wantFree(t, c, d.Account, "orders")
	wantFree(t, c, d.Account, "orders-3")
}

func renamed(t *testing.T, c database.Catalog) {
	old := insert(t, c)
	d := rename(old, "Orders")
	must(t, c.Update(Context(t), old, d))
	wantStored(t, c, d)
	wantFree(t, c, old.Account, old.Name)
	must(t, c.Insert(Context(t), Database(old.Account, old.Name), nil))
}

func staleUpdate(t *testing.T, c database.Catalog) {
	first := insert(t, c)
	second := changed(first, nil)
	must(t, c.Update(Context(t), first, second))
	third := rename(second, "third")
	must(t, c.Update(Context(t), second, third))
	for _, old := range []database.Database{first, second} {
		err := c.Update(Context(t), old, rename(old, "stale"))
		wantError(t, err, database.ErrVersionConflict)
	}
	wantStored(t, c, third)
	wantFree(t, c, third.Account, "stale")
}

func updateOfMissing(t *testing.T, c database.Catalog) {
	d := Database(Account(), "orders")
	wantError(t, c.Update(Context(t), d, changed(d, nil)), database.ErrVersionConflict)
	wantError(t, c.Update(Context(t), d, rename(d, "other")), database.ErrVersionConflict)
	wantFree(t, c, d.Account, "orders")
	wantFree(t, c, d.Account, "other")
	_, err := c.Get(Context(t), d.Account, d.ID)
	wantKind(t, err, apierror.NotFound)
}

func renameToTaken(t *testing.T, c database.Catalog) {
	d := insert(t, c)
	other := Database(d.Account, "other")
	must(t, c.Insert(Context(t), other, nil))
	err := c.Update(Context(t), d, rename(d, "other"))
	wantError(t, err, database.ErrNameTaken)
	if apierror.KindOf(err) == apierror.UnknownOutcome {
		t.Errorf("the outcome of error %v is unknown", err)
	}
	wantStored(t, c, d)
	wantStored(t, c, other)
}

func staleRename(t *testing.T, c database.Catalog) {
	old := insert(t, c)
	must(t, c.Insert(Context(t), Database(old.Account, "other"), nil))
	must(t, c.Update(Context(t), old, changed(old, nil)))
	wantError(t, c.Update(Context(t), old, rename(old, "other")), database.ErrVersionConflict)
}

func sameUpdateIsDone(t *testing.T, c database.Catalog) {
	old := insert(t, c)
	d := changed(old, nil)
	for range 2 {
		must(t, c.Update(Context(t), old, d))
	}
	wantStored(t, c, d)
}

func sameRenameIsDone(t *testing.T, c database.Catalog) {
	old := insert(t, c)
	d := rename(old, "other")
	for range 2 {
		must(t, c.Update(Context(t), old, d))
	}
	wantStored(t, c, d)
	wantFree(t, c, old.Account, old.Name)
}

func racingUpdates(t *testing.T, c database.Catalog) {
	ctx, old := Context(t), insert(t, c)
	rivals := make([]database.Database, updateRacers)
	for i := range rivals {
		rivals[i] = changed(old, func(d *database.Database) { d.Endpoint.Username = strconv.Itoa(i) })
		if i%2 == 0 {
			rivals[i].Name = "name-" + strconv.Itoa(i)
		}
	}
	winner := onlyWinner(t, Race(updateRacers, func(i int) error { return c.Update(ctx, old, rivals[i]) }), database.ErrVersionConflict)
	wantStored(t, c, rivals[winner])
	for i, d := range rivals {
		if i != winner && d.Name != rivals[winner].Name {
			wantFree(t, c, d.Account, d.Name)
		}
	}
}

// onlyWinner returns the index of the only call without an error. It fails the test
// unless there is exactly one, and the others' error is want.
func onlyWinner(t *testing.T, errs []error, want error) int {
	t.Helper()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			t.Fatalf("both %d and %d succeed", winner, i)
		case err == nil:
			winner = i
		default:
			wantError(t, err, want)
		}
	}
	if winner < 0 {
		t.Fatal("none succeeds")
	}
	return winner
}

func renameAgainstInsert(t *testing.T, c database.Catalog) {
	ctx, old := Context(t), insert(t, c)
	renamed, inserted := rename(old, "wanted"), Database(old.Account, "wanted")
	winner := onlyWinner(t, Race(2, func(i int) error {
		if i == 0 {
			return c.Update(ctx, old, renamed)
		}
		return c.Insert(ctx, inserted, nil)
	}), database.ErrNameTaken)
	if winner == 0 {
		wantStored(t, c, renamed)
		wantFree(t, c, old.Account, old.Name)
		return
	}
	wantStored(t, c, inserted)
	wantStored(t, c, old)
}

func renameAgainstRename(t *testing.T, c database.Catalog) {
	ctx, first := Context(t), insert(t, c)
	second := Database(first.Account, "second")
	must(t, c.Insert(ctx, second, nil))
	olds := []database.Database{first, second}
	news := []database.Database{rename(first, "wanted"), rename(second, "wanted")}
	winner := onlyWinner(t, Race(2, func(i int) error { return c.Update(ctx, olds[i], news[i]) }), database.ErrNameTaken)
	wantStored(t, c, news[winner])
	wantStored(t, c, olds[1-winner])
}

func updateWithoutChange(t *testing.T, c database.Catalog) {
	old := insert(t, c)
	d := changed(old, func(d *database.Database) { d.Change = "" })
	wantKind(t, c.Update(Context(t), old, d), apierror.Internal)
	wantStored(t, c, old)
}
