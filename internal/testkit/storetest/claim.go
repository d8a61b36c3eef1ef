package storetest

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

const claimRacers = 100

func claimTests() map[string]func(*testing.T, database.Catalog) {
	return map[string]func(*testing.T, database.Catalog){
		"a key that nobody has is claimed":               claimedIsTaken,
		"the same claim again is its own":                sameClaimIsOwn,
		"a key in use gives the claim that is there":     claimInUse,
		"a claim without a result stands for a minute":   abandonedClaim,
		"a claim with a result stands for 24 hours":      forgottenResult,
		"a released key is free":                         releasedIsFree,
		"another's claim is not released":                othersIsNotReleased,
		"a claim with a result is not released":          resultIsNotReleased,
		"a release without a claim counts as done":       releaseOfNothing,
		"the keys of two accounts do not meet":           claimsApart,
		"of 100 racing claims of one key one wins":       racingClaims,
		"racing claims of an abandoned key have one win": racingTakeovers,
		"a claim whose context has ended is not made":    endedContextClaim,
	}
}

// newClaim is a claim of a key that no other test has.
func newClaim(account string) database.Claim {
	return database.Claim{
		Account: account, Key: ID(), Owner: ID(), PayloadHash: ID(),
		ClaimedAt: time.Date(2026, 3, 4, 5, 6, 7, 120_000_000, time.UTC),
	}
}

// rival is a claim of the same key by another, later.
func rival(c database.Claim, later time.Duration) database.Claim {
	c.Owner, c.PayloadHash, c.ClaimedAt = ID(), ID(), c.ClaimedAt.Add(later)
	return c
}

// wantClaim fails the test unless claiming c gives want.
func wantClaim(t *testing.T, store database.Catalog, c, want database.Claim) {
	t.Helper()
	got, err := store.Claim(Context(t), c)
	must(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("claimed %+v, want %+v", got, want)
	}
}

func claimedIsTaken(t *testing.T, store database.Catalog) {
	c := newClaim(Account())
	wantClaim(t, store, c, c)
}

func sameClaimIsOwn(t *testing.T, store database.Catalog) {
	c := newClaim(Account())
	for range 3 {
		wantClaim(t, store, c, c)
	}
}

func claimInUse(t *testing.T, store database.Catalog) {
	first := newClaim(Account())
	wantClaim(t, store, first, first)
	wantClaim(t, store, rival(first, time.Second), first)
	wantClaim(t, store, rival(first, -time.Hour), first)
}

func abandonedClaim(t *testing.T, store database.Catalog) {
	for _, later := range []time.Duration{database.ClaimTime - time.Nanosecond, database.ClaimTime} {
		first := newClaim(Account())
		wantClaim(t, store, first, first)
		wantClaim(t, store, rival(first, later), first)
	}
	first := newClaim(Account())
	wantClaim(t, store, first, first)
	second := rival(first, database.ClaimTime+time.Nanosecond)
	wantClaim(t, store, second, second)
	wantClaim(t, store, rival(second, time.Second), second)
}

// finish gives a claim its result.
func finish(t *testing.T, store database.Catalog, c database.Claim) database.Claim {
	t.Helper()
	d := Database(c.Account, "orders-"+c.Key)
	must(t, store.Insert(Context(t), d, &c))
	c.Result = &d
	return c
}

func forgottenResult(t *testing.T, store database.Catalog) {
	for _, later := range []time.Duration{0, database.ClaimTime * 2, database.ReplayTime - time.Nanosecond} {
		first := newClaim(Account())
		wantClaim(t, store, first, first)
		done := finish(t, store, first)
		wantClaim(t, store, rival(first, later), done)
		wantClaim(t, store, first, done)
	}
	first := newClaim(Account())
	wantClaim(t, store, first, first)
	finish(t, store, first)
	second := rival(first, database.ReplayTime)
	wantClaim(t, store, second, second)
	wantClaim(t, store, rival(second, time.Second), second)
}

func releasedIsFree(t *testing.T, store database.Catalog) {
	first := newClaim(Account())
	wantClaim(t, store, first, first)
	for range 2 {
		must(t, store.Release(Context(t), first))
	}
	second := rival(first, time.Second)
	wantClaim(t, store, second, second)
}

func othersIsNotReleased(t *testing.T, store database.Catalog) {
	first := newClaim(Account())
	wantClaim(t, store, first, first)
	must(t, store.Release(Context(t), rival(first, 0)))
	wantClaim(t, store, rival(first, time.Second), first)
}

func resultIsNotReleased(t *testing.T, store database.Catalog) {
	first := newClaim(Account())
	wantClaim(t, store, first, first)
	done := finish(t, store, first)
	must(t, store.Release(Context(t), first))
	wantClaim(t, store, rival(first, time.Second), done)
}

func releaseOfNothing(t *testing.T, store database.Catalog) {
	must(t, store.Release(Context(t), newClaim(Account())))
}

func claimsApart(t *testing.T, store database.Catalog) {
	first := newClaim(Account())
	second := rival(first, 0)
	second.Account = Account()
	wantClaim(t, store, first, first)
	wantClaim(t, store, second, second)
}

func racingClaims(t *testing.T, store database.Catalog) {
	raceForClaim(t, store, newClaim(Account()))
}

func racingTakeovers(t *testing.T, store database.Catalog) {
	abandoned := newClaim(Account())
	wantClaim(t, store, abandoned, abandoned)
	raceForClaim(t, store, rival(abandoned, time.Hour))
}

// raceForClaim fails the test unless all of many claims of like's key agree on
// one owner.
func raceForClaim(t *testing.T, store database.Catalog, like database.Claim) {
	t.Helper()
	ctx := Context(t)
	claims, got := make([]database.Claim, claimRacers), make([]database.Claim, claimRacers)
	for i := range claims {
		claims[i] = rival(like, time.Duration(i))
	}
	for _, err := range race(claimRacers, func(i int) (err error) {
		got[i], err = store.Claim(ctx, claims[i])
		return err
	}) {
		must(t, err)
	}
	winners := 0
	for i := range got {
		if got[i].Owner != got[0].Owner {
			t.Errorf("racer %d finds the owner %s, racer 0 %s", i, got[i].Owner, got[0].Owner)
		}
		if got[i].Owner == claims[i].Owner {
			winners++
		}
	}
	if winners != 1 {
		t.Errorf("%d have won, want 1", winners)
	}
}

func endedContextClaim(t *testing.T, store database.Catalog) {
	ctx, cancel := context.WithCancel(Context(t))
	cancel()
	first := newClaim(Account())
	_, err := store.Claim(ctx, first)
	wantKind(t, err, apierror.Unavailable)
	wantKind(t, store.Release(ctx, first), apierror.Unavailable)
	second := rival(first, 0)
	wantClaim(t, store, second, second)
}
