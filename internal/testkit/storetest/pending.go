package storetest

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/database"
)

// pendingTests returns the tests of pending items.
func pendingTests() map[string]func(*testing.T, database.Catalog) {
	return map[string]func(*testing.T, database.Catalog){
		"a pending item is found by its key, and by the list of all": pendingIsFound,
		"an insert removes its pending item":                         insertCompletes,
		"an update removes its pending item":                         updateCompletes,
		"without its pending item nothing is written":                pendingIsGone,
		"a rejected insert keeps its pending item":                   refusedInsertKeepsPending,
		"what was created is only in the result of a claim":          createdIsInResult,
	}
}

func newPending(d database.Database, claimKey string) database.Pending {
	return database.Pending{
		Account: d.Account, ClaimKey: claimKey, DatabaseID: d.ID, Endpoint: d.Endpoint, Primary: d.Primary, Slot: d.Slot,
		Source: database.Source{SystemIdentifier: "7"}, Making: database.Making{Slot: true}, SecretVersion: d.ID, CreatedAt: d.CreatedAt,
	}
}

// wantPending fails the test unless those are the pending items of the key, and all are
// in the list of all.
func wantPending(t *testing.T, c database.Catalog, account, claimKey string, want ...database.Pending) {
	t.Helper()
	got, err := c.PendingOf(Context(t), account, claimKey)
	must(t, err)
	byID := func(a, b database.Pending) int { return strings.Compare(a.DatabaseID, b.DatabaseID) }
	slices.SortFunc(got, byID)
	slices.SortFunc(want, byID)
	if len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
		t.Fatalf("pending items %+v, want %+v", got, want)
	}
	all, err := c.AllPending(Context(t))
	must(t, err)
	for _, p := range want {
		if !slices.ContainsFunc(all, func(other database.Pending) bool { return reflect.DeepEqual(other, p) }) {
			t.Errorf("the list of all lacks %s", p.DatabaseID)
		}
	}
}

func pendingIsFound(t *testing.T, c database.Catalog) {
	ctx, account, key := Context(t), Account(), ID()
	wantPending(t, c, account, key)
	first, second := newPending(Database(account, "a"), key), newPending(Database(account, "b"), key)
	for _, p := range []database.Pending{
		first, second, first, newPending(Database(account, "c"), key+"2"), newPending(Database(account, "d"), ""), newPending(Database(account+"2", "e"), key),
	} {
		must(t, c.AddPending(ctx, p))
	}
	wantPending(t, c, account, key, first, second)
	first.Making = database.Making{}
	must(t, c.AddPending(ctx, first))
	wantPending(t, c, account, key, first, second)
	for range 2 {
		must(t, c.RemovePending(ctx, second))
	}
	wantPending(t, c, account, key, first)
}

func insertCompletes(t *testing.T, c database.Catalog) {
	ctx, held := Context(t), claim(t, c)
	d := withSlot(held.Account, ID())
	p := newPending(d, held.Key)
	must(t, c.AddPending(ctx, p))
	for range 2 {
		must(t, c.Insert(ctx, d, &held, database.CompletePending(p)))
	}
	wantStored(t, c, d)
	wantPending(t, c, d.Account, held.Key)
}

func updateCompletes(t *testing.T, c database.Catalog) {
	ctx, old := Context(t), insertWithSlot(t, c)
	p := newPending(old, "")
	must(t, c.AddPending(ctx, p))
	next := moved(old, "another_slot")
	for range 2 {
		must(t, c.Update(ctx, old, next, database.CompletePending(p)))
	}
	wantStored(t, c, next)
	wantPending(t, c, old.Account, "")
}

func pendingIsGone(t *testing.T, c database.Catalog) {
	ctx, old := Context(t), insertWithSlot(t, c)
	p := newPending(old, "")
	wantError(t, c.Update(ctx, old, moved(old, "another_slot"), database.CompletePending(p)), database.ErrPendingGone)
	wantError(t, c.Update(ctx, old, rename(old, "renamed"), database.CompletePending(p)), database.ErrPendingGone)
	wantStored(t, c, old)
	d := withSlot(old.Account, ID())
	wantError(t, c.Insert(ctx, d, nil, database.CompletePending(newPending(d, ""))), database.ErrPendingGone)
	wantGone(t, c, d)
}

func refusedInsertKeepsPending(t *testing.T, c database.Catalog) {
	ctx, first := Context(t), insertWithSlot(t, c)
	for name, want := range map[string]error{first.Name: database.ErrNameTaken, "another": &database.SlotSharedError{}} {
		d := withSlot(first.Account, first.Source.SystemIdentifier)
		d.Name = name
		p := newPending(d, ID())
		must(t, c.AddPending(ctx, p))
		err := c.Insert(ctx, d, nil, database.CompletePending(p))
		if name == first.Name {
			wantError(t, err, want)
		} else {
			wantShared(t, err, first)
		}
		wantPending(t, c, p.Account, p.ClaimKey, p)
	}
}

func createdIsInResult(t *testing.T, c database.Catalog) {
	held := claim(t, c)
	d := Database(held.Account, "orders")
	d.Created = []string{"publication", "replication_slot"}
	must(t, c.Insert(Context(t), d, &held))
	done := held
	done.Result = &d
	wantClaim(t, c, rival(held, time.Second), done)
	stored := d
	stored.Created = nil
	wantStored(t, c, stored)
	next := rename(d, "renamed")
	must(t, c.Update(Context(t), d, next))
	next.Created = nil
	wantStored(t, c, next)
}
