package storetest

import (
	"fmt"
	"testing"

	"github.com/headgate/headgate/internal/database"
)

// publicationTests returns the tests of the record of a publication's users.
func publicationTests() map[string]func(*testing.T, database.Catalog) {
	return map[string]func(*testing.T, database.Catalog){
		"databases with slots of their own share a publication":   publicationIsShared,
		"a held publication can't be inserted or updated to":      heldPublicationIsRefused,
		"an update moves the record of a publication":             updateMovesPublication,
		"a publication has more users than are recorded":          manyUsePublication,
		"publications of other servers and databases are others":  publicationsApart,
		"a delete removes the hold of a publication":              deleteRemovesPublicationHold,
		"a publication and a slot of one name are not held alike": publicationIsNoSlot,
	}
}

// withOwnSlot returns another database that reads other's publication.
func withOwnSlot(other database.Database) database.Database {
	d := withSlot(other.Account, other.Source.SystemIdentifier)
	d.Slot.SlotName = "slot_" + d.ID
	return d
}

// publicationHold returns a hold of d's publication.
func publicationHold(d database.Database, expected ...database.Database) database.SlotHold {
	h := hold(d, expected...)
	h.Key = d.PublicationKey()
	return h
}

func publicationIsShared(t *testing.T, c database.Catalog) {
	ctx, first := Context(t), insertWithSlot(t, c)
	second := withOwnSlot(first)
	second.Account = Account()
	for range 2 {
		must(t, c.Insert(ctx, second, nil))
	}
	wantShared(t, c.HoldSlot(ctx, publicationHold(first)), first, second)
	must(t, c.Delete(ctx, first))
	wantShared(t, c.HoldSlot(ctx, publicationHold(first)), second)
	must(t, c.Delete(ctx, second))
	must(t, c.HoldSlot(ctx, publicationHold(first)))
}

func heldPublicationIsRefused(t *testing.T, c database.Catalog) {
	ctx, d := Context(t), withSlot(Account(), ID())
	h := publicationHold(d)
	must(t, c.HoldSlot(ctx, h))
	wantError(t, c.Insert(ctx, d, nil), database.ErrSlotHeld)
	wantError(t, c.Insert(ctx, d, nil, database.ShareSlot()), database.ErrSlotHeld)
	wantGone(t, c, d)
	old := withOwnSlot(d)
	old.Slot.PublicationName = "another"
	must(t, c.Insert(ctx, old, nil))
	next := moved(old, old.Slot.SlotName)
	next.Slot.PublicationName = d.Slot.PublicationName
	wantError(t, c.Update(ctx, old, next), database.ErrSlotHeld)
	wantStored(t, c, old)
	must(t, c.ReleaseSlot(ctx, h))
	must(t, c.Update(ctx, old, next))
	must(t, c.Insert(ctx, d, nil))
}

func updateMovesPublication(t *testing.T, c database.Catalog) {
	ctx, old := Context(t), insertWithSlot(t, c)
	next := moved(old, old.Slot.SlotName)
	next.Slot.PublicationName = "another"
	must(t, c.Update(ctx, old, next))
	must(t, c.HoldSlot(ctx, publicationHold(old)))
	wantShared(t, c.HoldSlot(ctx, publicationHold(next)), next)
	slot := moved(next, "another_slot")
	must(t, c.Update(ctx, next, slot))
	wantShared(t, c.HoldSlot(ctx, publicationHold(next)), slot)
	unknown := moved(slot, slot.Slot.SlotName)
	unknown.Source = database.Source{}
	must(t, c.Update(ctx, slot, unknown))
	must(t, c.HoldSlot(ctx, publicationHold(next)))
}

func manyUsePublication(t *testing.T, c database.Catalog) {
	ctx, first := Context(t), insertWithSlot(t, c)
	recorded := []database.Database{first}
	var last database.Database
	for i := range database.MaxSlotUsers {
		last = withOwnSlot(first)
		last.Name = fmt.Sprint("orders-", i)
		must(t, c.Insert(ctx, last, nil))
		recorded = append(recorded, last)
	}
	wantStored(t, c, last)
	wantShared(t, c.HoldSlot(ctx, publicationHold(first)), recorded[:database.MaxSlotUsers]...)
	must(t, c.Delete(ctx, last))
	wantShared(t, c.HoldSlot(ctx, publicationHold(first)), recorded[:database.MaxSlotUsers]...)
}

func publicationsApart(t *testing.T, c database.Catalog) {
	ctx, first := Context(t), insertWithSlot(t, c)
	for _, change := range []func(*database.Database){
		func(d *database.Database) { d.Source.SystemIdentifier = ID() },
		func(d *database.Database) { d.Endpoint.Database += "2" },
		func(d *database.Database) { d.Slot.PublicationName += "2" },
	} {
		other := withSlot(first.Account, first.Source.SystemIdentifier)
		change(&other)
		must(t, c.HoldSlot(ctx, publicationHold(other)))
	}
}

func deleteRemovesPublicationHold(t *testing.T, c database.Catalog) {
	ctx, d := Context(t), insertWithSlot(t, c)
	must(t, c.HoldSlot(ctx, publicationHold(d, d)))
	must(t, c.Delete(ctx, d))
	must(t, c.Insert(ctx, withOwnSlot(d), nil))
}

func publicationIsNoSlot(t *testing.T, c database.Catalog) {
	ctx, d := Context(t), withSlot(Account(), ID())
	d.Slot.PublicationName = d.Slot.SlotName
	must(t, c.HoldSlot(ctx, publicationHold(d)))
	must(t, c.HoldSlot(ctx, hold(d)))
}
