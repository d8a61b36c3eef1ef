package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/database"
)

// resultTests returns the tests of inserts with a claim.
func resultTests() map[string]func(*testing.T, database.Catalog) {
	return map[string]func(*testing.T, database.Catalog){
		"an insert becomes the result of its claim":                              insertIsResult,
		"a repeated insert with its claim succeeds":                              sameResultIsDone,
		"an insert with a lost claim is rejected":                                insertAfterTakeover,
		"an insert with a released claim is rejected":                            insertAfterRelease,
		"a rejected insert leaves its claim without a result":                    refusedInsertLeavesClaim,
		"an insert that lost its name and its claim reports the claim":           insertAfterRivalsInsert,
		"an insert that is repeated after a delete succeeds and inserts nothing": insertAfterDelete,
		"an update of the database does not change the result":                   resultStays,
		"of 32 concurrent inserts only the one with the new claim succeeds":      racingResults,
	}
}

// claim claims a new key.
func claim(t *testing.T, store database.Catalog) database.Claim {
	t.Helper()
	c := newClaim(Account())
	wantClaim(t, store, c, c)
	return c
}

// takeOver makes a rival claim the key of c after c has expired.
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
		t.Errorf("error %v, want only ErrClaimLost", err)
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
	winner := onlyWinner(t, Race(racers, func(i int) error {
		if i == 0 {
			return store.Insert(ctx, ds[i], &next)
		}
		return store.Insert(ctx, ds[i], &c)
	}), database.ErrClaimLost)
	if winner != 0 {
		t.Fatalf("insert %d succeeds without the claim", winner)
	}
	for _, d := range ds[1:] {
		wantGone(t, store, d)
	}
}
