package storetest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

const claimRacers = 100

func claimTests() map[string]func(*testing.T, database.Catalog) {
	return map[string]func(*testing.T, database.Catalog){
		"an unused key is claimed":                                  claimedIsTaken,
		"a repeated claim returns itself":                           sameClaimIsOwn,
		"a claim of a key in use returns the existing claim":        claimInUse,
		"a claim without a result lasts a minute":                   abandonedClaim,
		"a claim with a result lasts 24 hours":                      forgottenResult,
		"a released key can be claimed":                             releasedIsFree,
		"the claim of another owner is not released":                othersIsNotReleased,
		"a claim with a result is not released":                     resultIsNotReleased,
		"a release without a claim succeeds":                        releaseOfNothing,
		"two accounts can claim the same key":                       claimsApart,
		"of 100 concurrent claims of one key one succeeds":          racingClaims,
		"of 100 concurrent claims of an abandoned key one succeeds": racingTakeovers,
		"after the end of the context nothing is claimed":           endedContextClaim,
	}
}

// newClaim returns a claim of a new key.
func newClaim(account string) database.Claim {
	return database.Claim{
		Account: account, Key: ID(), Owner: ID(), PayloadHash: ID(),
		ClaimedAt: time.Date(2026, 3, 4, 5, 6, 7, 120_000_000, time.UTC),
	}
}

// rival returns a later claim of the same key by another owner.
func rival(c database.Claim, later time.Duration) database.Claim {
	c.Owner, c.PayloadHash, c.ClaimedAt = ID(), ID(), c.ClaimedAt.Add(later)
	return c
}

// wantClaim fails the test unless a claim of c returns want.
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

// finish inserts a database as the result of a claim.
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

// raceForClaim makes concurrent claims of the first one's key and fails the test
// unless all return the same owner.
func raceForClaim(t *testing.T, store database.Catalog, first database.Claim) {
	t.Helper()
	ctx := Context(t)
	claims, got := make([]database.Claim, claimRacers), make([]database.Claim, claimRacers)
	for i := range claims {
		claims[i] = rival(first, time.Duration(i))
	}
	must(t, errors.Join(Race(claimRacers, func(i int) (err error) {
		got[i], err = store.Claim(ctx, claims[i])
		return err
	})...))
	winners := 0
	for i := range got {
		if got[i].Owner != got[0].Owner {
			t.Errorf("claim %d returns the owner %s, claim 0 %s", i, got[i].Owner, got[0].Owner)
		}
		if got[i].Owner == claims[i].Owner {
			winners++
		}
	}
	if winners != 1 {
		t.Errorf("%d claims succeed, want 1", winners)
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
