package storetest

import (
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

func deleteTests() map[string]func(*testing.T, database.Catalog) {
	return map[string]func(*testing.T, database.Catalog){
		"a deleted database is not found, and its name is free":                 deletedIsGone,
		"a deleted database is not deleted again":                               deletedTwice,
		"a delete of an old version is rejected":                                staleDelete,
		"a repeated delete does not delete another database with the same name": deleteLeavesNext,
		"of 16 concurrent deletes one succeeds":                                 racingDeletes,
		"of a concurrent delete and update one succeeds":                        deleteAgainstUpdate,
		"the database of another account is not deleted":                        deleteOfOthers,
		"a deleted database is not listed":                                      deletedIsNotListed,
		"after a rename and a delete both names are free":                       deleteAfterRename,
	}
}

func wantGone(t *testing.T, c database.Catalog, d database.Database) {
	t.Helper()
	_, err := c.Get(Context(t), d.Account, d.ID)
	wantKind(t, err, apierror.NotFound)
}

func deletedIsGone(t *testing.T, c database.Catalog) {
	d := insert(t, c)
	other := Database(d.Account, "other")
	must(t, c.Insert(Context(t), other, nil))
	must(t, c.Delete(Context(t), d))
	wantGone(t, c, d)
	wantFree(t, c, d.Account, d.Name)
	wantStored(t, c, other)
}

func deletedTwice(t *testing.T, c database.Catalog) {
	d := insert(t, c)
	must(t, c.Delete(Context(t), d))
	for range 2 {
		wantKind(t, c.Delete(Context(t), d), apierror.NotFound)
	}
}

func staleDelete(t *testing.T, c database.Catalog) {
	old := insert(t, c)
	d := rename(old, "other")
	must(t, c.Update(Context(t), old, d))
	wantError(t, c.Delete(Context(t), old), database.ErrVersionConflict)
	wantStored(t, c, d)
}

func deleteLeavesNext(t *testing.T, c database.Catalog) {
	first := insert(t, c)
	must(t, c.Delete(Context(t), first))
	second := Database(first.Account, first.Name)
	must(t, c.Insert(Context(t), second, nil))
	wantKind(t, c.Delete(Context(t), first), apierror.NotFound)
	wantStored(t, c, second)
}

func racingDeletes(t *testing.T, c database.Catalog) {
	ctx, d := Context(t), insert(t, c)
	done := 0
	for _, err := range Race(updateRacers, func(int) error { return c.Delete(ctx, d) }) {
		if err == nil {
			done++
			continue
		}
		wantKind(t, err, apierror.NotFound)
	}
	if done != 1 {
		t.Errorf("%d deletes succeed, want 1", done)
	}
	wantGone(t, c, d)
}

func deleteAgainstUpdate(t *testing.T, c database.Catalog) {
	ctx, old := Context(t), insert(t, c)
	d := rename(old, "other")
	winner := onlyWinner(t, Race(2, func(i int) error {
		if i == 0 {
			return c.Delete(ctx, old)
		}
		return c.Update(ctx, old, d)
	}), database.ErrVersionConflict)
	wantFree(t, c, old.Account, old.Name)
	if winner == 1 {
		wantStored(t, c, d)
		return
	}
	wantGone(t, c, d)
	wantFree(t, c, d.Account, d.Name)
}

func deleteOfOthers(t *testing.T, c database.Catalog) {
	d := insert(t, c)
	theirs := d
	theirs.Account = Account()
	wantKind(t, c.Delete(Context(t), theirs), apierror.NotFound)
	wantStored(t, c, d)
}

func deletedIsNotListed(t *testing.T, c database.Catalog) {
	d := insert(t, c)
	must(t, c.Delete(Context(t), d))
	wantList(t, c, d.Account, "", 10)
}

func deleteAfterRename(t *testing.T, c database.Catalog) {
	old := insert(t, c)
	d := rename(old, "other")
	must(t, c.Update(Context(t), old, d))
	must(t, c.Delete(Context(t), d))
	wantGone(t, c, d)
	wantFree(t, c, d.Account, old.Name)
	wantFree(t, c, d.Account, d.Name)
}
