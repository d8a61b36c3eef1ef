package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/database"
)

// resultTests are of inserts with a claim.
func resultTests() map[string]func(*testing.T, database.Catalog) {
	return map[string]func(*testing.T, database.Catalog){
		"an insert is its claim's result":                            insertIsResult,
		"the same insert with its claim again counts as done":        sameResultIsDone,
		"an insert whose claim is another's is refused":              insertAfterTakeover,
		"an insert whose claim was released is refused":              insertAfterRelease,
		"a refused insert leaves its claim without a result":         refusedInsertLeavesClaim,
		"an insert that lost name and claim has lost its claim":      insertAfterRivalsInsert,
		"a repeated insert counts as done after a delete":            insertAfterDelete,
		"a result stays as it was when its database changes":         resultStays,
		"of 32 inserts racing with one claim's takeover one is kept": racingResults,
	}
}

// claim claims a key that nobody has.
func claim(t *testing.T, store database.Catalog) database.Claim {
	t.Helper()
	c := newClaim(Account())
	wantClaim(t, store, c, c)
	return c
}

// takeOver is a rival's claim after c was abandoned.
func takeOver(t *testing.T, store database.Catalog, c database.Claim) database.Claim {
	t.Helper()
	next := rival(c, 2*database.ClaimTime)
	wantClaim(t, store, next, next)
	return next
}

func insertIsResult(t *testing.T, store database.Catalog) {
	done := finish(t, store, claim(t, store))
	wantStored(t, store, *done.Result)
	wantClaim(t, store, rival(done, 0), done)
}

func sameResultIsDone(t *testing.T, store database.Catalog) {
	c := claim(t, store)
	done := finish(t, store, c)
	must(t, store.Insert(Context(t), *done.Result, &c))
	wantStored(t, store, *done.Result)
}

func insertAfterTakeover(t *testing.T, store database.Catalog) {
	c := claim(t, store)
	next := takeOver(t, store, c)
	d := Database(c.Account, "orders")
	wantError(t, store.Insert(Context(t), d, &c), database.ErrClaimLost)
	wantGone(t, store, d)
	wantFree(t, store, d.Account, d.Name)
	wantClaim(t, store, rival(next, 0), next)
}

func insertAfterRelease(t *testing.T, store database.Catalog) {
	c := claim(t, store)
	must(t, store.Release(Context(t), c))
	d := Database(c.Account, "orders")
	wantError(t, store.Insert(Context(t), d, &c), database.ErrClaimLost)
	wantGone(t, store, d)
	next := rival(c, 0)
	wantClaim(t, store, next, next)
}

func refusedInsertLeavesClaim(t *testing.T, store database.Catalog) {
	c := claim(t, store)
	must(t, store.Insert(Context(t), Database(c.Account, "orders"), nil))
	wantError(t, store.Insert(Context(t), Database(c.Account, "orders"), &c), database.ErrNameTaken)
	wantClaim(t, store, rival(c, 0), c)
	finish(t, store, c)
}

func insertAfterRivalsInsert(t *testing.T, store database.Catalog) {
	c := claim(t, store)
	done := finish(t, store, takeOver(t, store, c))
	err := store.Insert(Context(t), Database(c.Account, done.Result.Name), &c)
	wantError(t, err, database.ErrClaimLost)
	if errors.Is(err, database.ErrNameTaken) {
		t.Errorf("error %v", err)
	}
}

func insertAfterDelete(t *testing.T, store database.Catalog) {
	c := claim(t, store)
	done := finish(t, store, c)
	must(t, store.Delete(Context(t), *done.Result))
	other := Database(c.Account, done.Result.Name)
	must(t, store.Insert(Context(t), other, nil))
	must(t, store.Insert(Context(t), *done.Result, &c))
	wantGone(t, store, *done.Result)
	wantStored(t, store, other)
	wantClaim(t, store, rival(c, time.Second), done)
}

func resultStays(t *testing.T, store database.Catalog) {
	c := claim(t, store)
	done := finish(t, store, c)
	must(t, store.Update(Context(t), *done.Result, rename(*done.Result, "other")))
	wantClaim(t, store, rival(c, time.Second), done)
}

func racingResults(t *testing.T, store database.Catalog) {
	ctx, c := Context(t), claim(t, store)
	next := takeOver(t, store, c)
	ds := make([]database.Database, racers)
	for i := range ds {
		ds[i] = Database(c.Account, "orders-"+ID())
	}
	winner := onlyWinner(t, race(racers, func(i int) error {
		if i == 0 {
			return store.Insert(ctx, ds[i], &next)
		}
		return store.Insert(ctx, ds[i], &c)
	}), database.ErrClaimLost)
	if winner != 0 {
		t.Fatalf("racer %d has won without the claim", winner)
	}
	for _, d := range ds[1:] {
		wantGone(t, store, d)
	}
}
