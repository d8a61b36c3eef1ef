package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/database"
)

// slotTests returns the tests of the record of a slot's users.
func slotTests() map[string]func(*testing.T, database.Catalog) {
	return map[string]func(*testing.T, database.Catalog){
		"a second database with a slot is rejected, and names the first": sharedIsRejected,
		"with ShareSlot it is inserted":                                  sharedIsInserted,
		"of 16 concurrent inserts with one slot one succeeds":            racingSlots,
		"a database of another account is a user too":                    sharedByOthers,
		"slots of other servers, databases and names are others":         slotsApart,
		"a deleted database is no user":                                  deletedIsNoUser,
		"the last of several users frees the slot":                       lastUserFrees,
		"an update moves the record":                                     updateMoves,
		"an update to a slot in use is rejected":                         updateToShared,
		"an update of the name keeps the record":                         renameKeepsRecord,
		"a rejected insert leaves no record":                             refusedInsertLeavesNoRecord,
		"a repeated insert of a database with a slot succeeds":           sameSharedInsert,
		"a held slot can't be inserted or updated to":                    heldIsRefused,
		"a hold lapses":                            holdLapses,
		"a hold is released by its holder only":    holdIsReleased,
		"a slot with unexpected users is not held": usedIsNotHeld,
		"a delete removes the hold":                deleteRemovesHold,
		"the users of a slot are read":             usersAreRead,
	}
}

// withSlot returns a database whose slot is known by the server's identifier.
func withSlot(account, server string) database.Database {
	d := Database(account, "orders-"+ID())
	d.Source.SystemIdentifier = server
	return d
}

func wantShared(t *testing.T, err error, users ...database.Database) {
	t.Helper()
	shared, ok := errors.AsType[*database.SlotSharedError](err)
	if !ok {
		t.Fatalf("error %v, want a SlotSharedError", err)
	}
	var got, want []string
	for _, u := range shared.Users {
		got = append(got, u.Account+" "+u.DatabaseID)
	}
	for _, d := range users {
		want = append(want, d.Account+" "+d.ID)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("users %v, want %v", got, want)
	}
}

func insertWithSlot(t *testing.T, c database.Catalog) database.Database {
	t.Helper()
	d := withSlot(Account(), ID())
	must(t, c.Insert(Context(t), d, nil))
	return d
}

func sharedIsRejected(t *testing.T, c database.Catalog) {
	first := insertWithSlot(t, c)
	second := withSlot(first.Account, first.Source.SystemIdentifier)
	second.Endpoint.Hostname = "another-name.example.com"
	wantShared(t, c.Insert(Context(t), second, nil), first)
	wantGone(t, c, second)
	wantFree(t, c, second.Account, second.Name)
	wantStored(t, c, first)
}

func sharedIsInserted(t *testing.T, c database.Catalog) {
	first := insertWithSlot(t, c)
	second := withSlot(first.Account, first.Source.SystemIdentifier)
	wantShared(t, c.Insert(Context(t), second, nil), first)
	must(t, c.Insert(Context(t), second, nil, database.ShareSlot()))
	wantStored(t, c, second)
	wantShared(t, c.Insert(Context(t), withSlot(first.Account, first.Source.SystemIdentifier), nil), first, second)
}

func racingSlots(t *testing.T, c database.Catalog) {
	ctx, account, server := Context(t), Account(), ID()
	ds := make([]database.Database, updateRacers)
	for i := range ds {
		ds[i] = withSlot(account, server)
	}
	won := 0
	for i, err := range Race(updateRacers, func(i int) error { return c.Insert(ctx, ds[i], nil) }) {
		if err == nil {
			won++
			wantStored(t, c, ds[i])
			continue
		}
		if _, ok := errors.AsType[*database.SlotSharedError](err); !ok {
			t.Errorf("error %v, want a SlotSharedError", err)
		}
	}
	if won != 1 {
		t.Errorf("%d inserts succeed, want 1", won)
	}
	must(t, errors.Join(Race(updateRacers, func(i int) error { return c.Insert(ctx, ds[i], nil, database.ShareSlot()) })...))
	wantShared(t, c.Insert(ctx, withSlot(account, server), nil), ds...)
}

func sharedByOthers(t *testing.T, c database.Catalog) {
	first := insertWithSlot(t, c)
	wantShared(t, c.Insert(Context(t), withSlot(Account(), first.Source.SystemIdentifier), nil), first)
}

func slotsApart(t *testing.T, c database.Catalog) {
	first := insertWithSlot(t, c)
	for _, change := range []func(*database.Database){
		func(d *database.Database) { d.Source.SystemIdentifier = ID() },
		func(d *database.Database) { d.Endpoint.Database += "2" },
		func(d *database.Database) { d.Slot.SlotName += "2" },
		func(d *database.Database) { d.Source = database.Source{} },
	} {
		d := withSlot(first.Account, first.Source.SystemIdentifier)
		change(&d)
		must(t, c.Insert(Context(t), d, nil))
	}
}

func deletedIsNoUser(t *testing.T, c database.Catalog) {
	first := insertWithSlot(t, c)
	must(t, c.Delete(Context(t), first))
	must(t, c.Insert(Context(t), withSlot(first.Account, first.Source.SystemIdentifier), nil))
}

func lastUserFrees(t *testing.T, c database.Catalog) {
	ctx, first := Context(t), insertWithSlot(t, c)
	second, third := withSlot(first.Account, first.Source.SystemIdentifier), withSlot(Account(), first.Source.SystemIdentifier)
	must(t, c.Insert(ctx, second, nil, database.ShareSlot()))
	must(t, c.Insert(ctx, third, nil, database.ShareSlot()))
	must(t, c.Delete(ctx, first))
	wantShared(t, c.Insert(ctx, withSlot(first.Account, first.Source.SystemIdentifier), nil), second, third)
	must(t, c.Delete(ctx, third))
	must(t, c.Delete(ctx, second))
	must(t, c.Insert(ctx, withSlot(first.Account, first.Source.SystemIdentifier), nil))
}

// moved returns d after an update to another slot.
func moved(d database.Database, slot string) database.Database {
	d.Slot.SlotName = slot
	d.Version++
	d.Change = ID()
	return d
}

func updateMoves(t *testing.T, c database.Catalog) {
	ctx, old := Context(t), insertWithSlot(t, c)
	next := moved(old, "another_slot")
	must(t, c.Update(ctx, old, next))
	must(t, c.Update(ctx, old, next))
	wantStored(t, c, next)
	must(t, c.Insert(ctx, withSlot(old.Account, old.Source.SystemIdentifier), nil))
	rival := withSlot(old.Account, old.Source.SystemIdentifier)
	rival.Slot.SlotName = next.Slot.SlotName
	wantShared(t, c.Insert(ctx, rival, nil), next)
	unknown := moved(next, next.Slot.SlotName)
	unknown.Source = database.Source{}
	must(t, c.Update(ctx, next, unknown))
	must(t, c.Insert(ctx, rival, nil))
}

func updateToShared(t *testing.T, c database.Catalog) {
	ctx, first := Context(t), insertWithSlot(t, c)
	old := withSlot(first.Account, first.Source.SystemIdentifier)
	old.Slot.SlotName = "own_slot"
	must(t, c.Insert(ctx, old, nil))
	next := moved(old, first.Slot.SlotName)
	wantShared(t, c.Update(ctx, old, next), first)
	wantStored(t, c, old)
	must(t, c.Update(ctx, old, next, database.ShareSlot()))
	wantStored(t, c, next)
	wantShared(t, c.Insert(ctx, withSlot(first.Account, first.Source.SystemIdentifier), nil), first, next)
}

func renameKeepsRecord(t *testing.T, c database.Catalog) {
	old := insertWithSlot(t, c)
	d := rename(old, "renamed-"+ID())
	must(t, c.Update(Context(t), old, d))
	wantShared(t, c.Insert(Context(t), withSlot(old.Account, old.Source.SystemIdentifier), nil), d)
}

func refusedInsertLeavesNoRecord(t *testing.T, c database.Catalog) {
	first := insertWithSlot(t, c)
	second := withSlot(first.Account, ID())
	second.Name = first.Name
	wantError(t, c.Insert(Context(t), second, nil), database.ErrNameTaken)
	must(t, c.Insert(Context(t), withSlot(first.Account, second.Source.SystemIdentifier), nil))
}

func sameSharedInsert(t *testing.T, c database.Catalog) {
	first := insertWithSlot(t, c)
	must(t, c.Insert(Context(t), first, nil))
	second := withSlot(first.Account, first.Source.SystemIdentifier)
	for range 2 {
		must(t, c.Insert(Context(t), second, nil, database.ShareSlot()))
	}
	must(t, c.Insert(Context(t), second, nil))
}

// hold returns a hold of d's slot at the time of d's last update.
func hold(d database.Database, expected ...database.Database) database.SlotHold {
	h := database.SlotHold{Key: d.SlotKey(), Holder: ID(), Since: d.UpdatedAt}
	for _, e := range expected {
		h.Expected = append(h.Expected, database.SlotUser{Account: e.Account, DatabaseID: e.ID})
	}
	return h
}

func heldIsRefused(t *testing.T, c database.Catalog) {
	ctx, d := Context(t), withSlot(Account(), ID())
	h := hold(d)
	must(t, c.HoldSlot(ctx, h))
	must(t, c.HoldSlot(ctx, h))
	wantError(t, c.HoldSlot(ctx, hold(d)), database.ErrSlotHeld)
	wantError(t, c.Insert(ctx, d, nil), database.ErrSlotHeld)
	wantError(t, c.Insert(ctx, d, nil, database.ShareSlot()), database.ErrSlotHeld)
	wantGone(t, c, d)
	old := d
	old.Slot.SlotName = "own_slot"
	must(t, c.Insert(ctx, old, nil))
	wantError(t, c.Update(ctx, old, moved(old, d.Slot.SlotName)), database.ErrSlotHeld)
	wantStored(t, c, old)
}

func holdLapses(t *testing.T, c database.Catalog) {
	ctx, d := Context(t), withSlot(Account(), ID())
	must(t, c.HoldSlot(ctx, hold(d)))
	d.UpdatedAt = d.UpdatedAt.Add(database.SlotHoldTime)
	wantError(t, c.Insert(ctx, d, nil), database.ErrSlotHeld)
	d.UpdatedAt = d.UpdatedAt.Add(time.Nanosecond)
	must(t, c.HoldSlot(ctx, hold(d)))
	d.UpdatedAt = d.UpdatedAt.Add(2 * database.SlotHoldTime)
	must(t, c.Insert(ctx, d, nil))
}

func holdIsReleased(t *testing.T, c database.Catalog) {
	ctx, d := Context(t), withSlot(Account(), ID())
	h := hold(d)
	must(t, c.ReleaseSlot(ctx, h))
	must(t, c.HoldSlot(ctx, h))
	must(t, c.ReleaseSlot(ctx, hold(d)))
	wantError(t, c.Insert(ctx, d, nil), database.ErrSlotHeld)
	must(t, c.ReleaseSlot(ctx, h))
	must(t, c.Insert(ctx, d, nil))
	h = hold(d, d)
	must(t, c.HoldSlot(ctx, h))
	must(t, c.ReleaseSlot(ctx, h))
	wantShared(t, c.Insert(ctx, withSlot(d.Account, d.Source.SystemIdentifier), nil), d)
}

func usedIsNotHeld(t *testing.T, c database.Catalog) {
	ctx, first := Context(t), insertWithSlot(t, c)
	wantShared(t, c.HoldSlot(ctx, hold(first)), first)
	second := withSlot(first.Account, first.Source.SystemIdentifier)
	must(t, c.Insert(ctx, second, nil, database.ShareSlot()))
	wantShared(t, c.HoldSlot(ctx, hold(first, first)), first, second)
	h := hold(first, second, first)
	must(t, c.HoldSlot(ctx, h))
	h.Expected = h.Expected[:1]
	wantShared(t, c.HoldSlot(ctx, h), first, second)
	wantShared(t, c.HoldSlot(ctx, hold(withSlot(first.Account, ID()), first)))
}

func deleteRemovesHold(t *testing.T, c database.Catalog) {
	ctx, d := Context(t), insertWithSlot(t, c)
	must(t, c.HoldSlot(ctx, hold(d, d)))
	must(t, c.Delete(ctx, d))
	must(t, c.Insert(ctx, withSlot(d.Account, d.Source.SystemIdentifier), nil))
}

func usersAreRead(t *testing.T, c database.Catalog) {
	ctx, first := Context(t), insertWithSlot(t, c)
	second := withSlot(Account(), first.Source.SystemIdentifier)
	read := func(key string) error {
		users, err := c.SlotUsers(ctx, key)
		must(t, err)
		return &database.SlotSharedError{Users: users}
	}
	wantShared(t, read(first.SlotKey()), first)
	must(t, c.Insert(ctx, second, nil, database.ShareSlot()))
	wantShared(t, read(first.SlotKey()), first, second)
	wantShared(t, read(first.PublicationKey()), first, second)
	must(t, c.Delete(ctx, first))
	must(t, c.Delete(ctx, second))
	wantShared(t, read(first.SlotKey()))
	must(t, c.HoldSlot(ctx, hold(first)))
	wantShared(t, read(first.SlotKey()))
}
