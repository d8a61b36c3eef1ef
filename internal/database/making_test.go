package database_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

var (
	slotOnly = database.Making{Slot: true}
	both     = database.Making{Publication: true, Slot: true}
	blocked  = check.Report{check.Fail(check.ReplicationSlot, check.SlotCreateBlocked, "m", "f")}
)

// makingFixture is a fixture whose server has an identifier, so that its slots are known.
func makingFixture(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	f.prober.source = "7000"
	return f
}

// wantNothingLeft fails the test unless there are no pending items and no secret of
// another database than those.
func (f *fixture) wantNothingLeft(kept ...database.Database) {
	f.t.Helper()
	pending, err := f.store.Catalog().AllPending(f.t.Context())
	if err != nil || len(pending) > 0 {
		f.t.Errorf("pending items %+v, error %v", pending, err)
	}
	if len(kept) == 0 && f.maker.exists != (database.Making{}) {
		f.t.Errorf("%+v is left on the target", f.maker.exists)
	}
}

func TestCreate_Making(t *testing.T) {
	t.Parallel()
	t.Run("what is missing is made, and the answer says so", func(t *testing.T) {
		t.Parallel()
		f := makingFixture(t)
		c, err := f.service.Create(t.Context(), "acme", f.payload(making(publishing("", nil))), "key")
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(c.Database.Created, []string{"publication", "replication_slot"}) || !reflect.DeepEqual(f.maker.made, []database.Making{both}) {
			t.Errorf("created %v, made %v", c.Database.Created, f.maker.made)
		}
		stored, err := f.service.Get(t.Context(), "acme", c.Database.ID)
		if err != nil || stored.Created != nil || stored.Source.SystemIdentifier != "7000" {
			t.Errorf("stored %+v, error %v", stored, err)
		}
		again, err := f.service.Create(t.Context(), "acme", f.payload(making(publishing("", nil))), "key")
		if err != nil || !slices.Equal(again.Database.Object().Created, c.Database.Created) {
			t.Errorf("the replay says %v, error %v", again.Database.Created, err)
		}
		f.wantNothingLeft(c.Database)
		probed := f.prober.probed()
		if len(probed) != 2 || !probed[0].Creation.Slot || probed[1].Creation.Slot {
			t.Errorf("%d probes, want one that may miss the slot, and one that may not", len(probed))
		}
	})
	t.Run("what exists is left alone", func(t *testing.T) {
		t.Parallel()
		f := makingFixture(t)
		f.maker.exists = both
		c, err := f.service.Create(t.Context(), "acme", f.payload(making(publishing("", nil))), "")
		if err != nil || c.Database.Created != nil || len(f.maker.made) > 0 || len(f.prober.probed()) != 1 {
			t.Errorf("created %v, %d probes, error %v", c.Database.Created, len(f.prober.probed()), err)
		}
	})
	t.Run("a dry run makes nothing", func(t *testing.T) {
		t.Parallel()
		f := makingFixture(t)
		if _, err := f.service.DryRunCreate(t.Context(), "acme", f.payload(making(nil))); err != nil || len(f.maker.made) > 0 {
			t.Errorf("made %v, error %v", f.maker.made, err)
		}
	})
	t.Run("another payload with the same key is idempotency_key_reused", func(t *testing.T) {
		t.Parallel()
		f := makingFixture(t)
		if _, err := f.service.Create(t.Context(), "acme", f.payload(making(nil)), "key"); err != nil {
			t.Fatal(err)
		}
		for _, other := range []map[string]any{slotWith("create_if_not_exists", false), making(publishing("", nil))} {
			if _, err := f.service.Create(t.Context(), "acme", f.payload(other), "key"); code(err) != apierror.IdempotencyKeyReused {
				t.Errorf("error %v", err)
			}
		}
	})
}

func TestCreate_MakingFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		arrange func(*fixture)
		want    check.Code
		kind    apierror.Kind
	}{
		"the slot can't be made": {func(f *fixture) { f.maker.findings = blocked }, check.SlotCreateBlocked, apierror.Invalid},
		"what was made does not pass": {func(f *fixture) {
			f.maker.before = func() {
				f.prober.mu.Lock()
				defer f.prober.mu.Unlock()
				f.prober.findings = check.Report{check.Fail(check.PublicationOrder, check.PublicationAfterSlot, "m", "f")}
			}
		}, check.PublicationAfterSlot, apierror.Invalid},
		"the name is taken meanwhile": {func(f *fixture) {
			f.maker.before = func() {
				d := database.Database{ID: "other", Account: "acme", Name: "example-db"}
				if err := f.store.Catalog().Insert(context.Background(), d, nil); err != nil {
					f.t.Error(err)
				}
			}
		}, apierror.NameTaken, apierror.Invalid},
		"the claim is lost meanwhile": {func(f *fixture) {
			f.maker.before = func() { f.service.Catalog = lostClaim{f.service.Catalog} }
		}, apierror.RequestInProgress, apierror.Conflict},
		"the store is away": {func(f *fixture) {
			f.maker.before = func() { f.service.Catalog = away{f.service.Catalog} }
		}, "", apierror.Unavailable},
		"the pending item can't be stored": {func(f *fixture) { f.service.Catalog = noPending{f.service.Catalog} }, "", apierror.Unavailable},
	} {
		t.Run(name+": nothing is left", func(t *testing.T) {
			t.Parallel()
			f := makingFixture(t)
			catalog := f.service.Catalog
			tt.arrange(f)
			_, err := f.service.Create(t.Context(), "acme", f.payload(making(publishing("", nil))), "key")
			if code(err) != tt.want || apierror.KindOf(err) != tt.kind {
				t.Errorf("error %v", err)
			}
			f.service.Catalog = catalog
			f.wantNothingLeft()
			if e, ok := errors.AsType[*apierror.Error](err); ok && tt.want == check.SlotCreateBlocked && len(e.Checks) != 2 {
				t.Errorf("the refusal has the checks %v, want those of the probe too", e.Checks)
			}
		})
	}
}

// lostClaim is a catalog in which another request has the claim by now, away one that
// does not take the insert, noPending one that does not store pending items.
type (
	lostClaim struct{ database.Catalog }
	away      struct{ database.Catalog }
	noPending struct{ database.Catalog }
	unknown   struct{ database.Catalog }
)

func (lostClaim) Insert(context.Context, database.Database, *database.Claim, ...database.WriteOption) error {
	return database.ErrClaimLost
}

func (away) Insert(context.Context, database.Database, *database.Claim, ...database.WriteOption) error {
	return apierror.OfStore(apierror.Unavailable, nil)
}

func (unknown) Insert(context.Context, database.Database, *database.Claim, ...database.WriteOption) error {
	return apierror.OfStore(apierror.UnknownOutcome, nil)
}

func (noPending) AddPending(context.Context, database.Pending) error {
	return apierror.OfStore(apierror.UnknownOutcome, nil)
}

func TestCreate_MakingUnknownOutcome(t *testing.T) {
	t.Parallel()
	f := makingFixture(t)
	catalog := f.service.Catalog
	f.service.Catalog = unknown{catalog}
	_, err := f.service.Create(t.Context(), "acme", f.payload(making(nil)), "key")
	if apierror.KindOf(err) != apierror.UnknownOutcome {
		t.Fatalf("error %v", err)
	}
	f.service.Catalog = catalog
	t.Run("everything stays, since the database may exist", func(t *testing.T) {
		pending, err := catalog.AllPending(t.Context())
		if err != nil || len(pending) != 1 || len(f.maker.dropped) > 0 {
			t.Errorf("%d pending items, dropped %v, error %v", len(pending), f.maker.dropped, err)
		}
	})
	t.Run("a retry with the same key makes it anew", func(t *testing.T) {
		*f.clock = f.clock.Add(database.ClaimTime + time.Second)
		c, err := f.service.Create(t.Context(), "acme", f.payload(making(nil)), "key")
		if err != nil || !slices.Equal(c.Database.Created, []string{"replication_slot"}) || !reflect.DeepEqual(f.maker.dropped, []database.Making{slotOnly}) {
			t.Errorf("created %v, dropped %v, error %v", c.Database.Created, f.maker.dropped, err)
		}
		f.wantNothingLeft(c.Database)
	})
}

func TestUndo(t *testing.T) {
	t.Parallel()
	// interrupted leaves a pending item as a killed create does.
	interrupted := func(t *testing.T) (*fixture, database.Pending) {
		t.Helper()
		f := makingFixture(t)
		catalog := f.service.Catalog
		f.service.Catalog = unknown{catalog}
		if _, err := f.service.Create(t.Context(), "acme", f.payload(making(publishing("", nil))), ""); apierror.KindOf(err) != apierror.UnknownOutcome {
			t.Fatal(err)
		}
		f.service.Catalog = catalog
		pending, err := f.service.Interrupted(t.Context())
		if err != nil || len(pending) != 1 {
			t.Fatalf("%d pending items, error %v", len(pending), err)
		}
		return f, pending[0]
	}
	t.Run("drops what was made and removes the item", func(t *testing.T) {
		t.Parallel()
		f, p := interrupted(t)
		undone, err := f.service.Undo(t.Context(), p)
		if err != nil || undone.Dropped != both || undone.Kept {
			t.Errorf("%+v, error %v", undone, err)
		}
		f.wantNothingLeft()
	})
	t.Run("keeps a slot that a database of another account has", func(t *testing.T) {
		t.Parallel()
		f, p := interrupted(t)
		if _, err := f.service.Create(t.Context(), "other", f.payload(making(nil)), ""); err != nil {
			t.Fatal(err)
		}
		undone, err := f.service.Undo(t.Context(), p)
		if err != nil || !undone.Kept || len(f.maker.dropped) > 0 || f.maker.exists != both {
			t.Errorf("%+v, dropped %v, error %v", undone, f.maker.dropped, err)
		}
	})
	t.Run("keeps a publication that a database with another slot has", func(t *testing.T) {
		t.Parallel()
		for _, account := range []string{"acme", "other"} {
			f, p := interrupted(t)
			second := slotWith("slot_name", "own")
			c, err := f.service.Create(t.Context(), account, f.payload(second), "")
			if err != nil {
				t.Fatal(err)
			}
			undone, err := f.service.Undo(t.Context(), p)
			if err != nil || !undone.Kept || undone.Dropped != slotOnly || !f.maker.exists.Publication {
				t.Errorf("%+v, there is %+v, error %v", undone, f.maker.exists, err)
			}
			if _, err := f.service.Delete(t.Context(), account, c.Database.ID, database.DeleteOptions{DropSlot: true, DropPublication: true}); err != nil {
				t.Error(err)
			}
			f.wantNothingLeft()
		}
	})
	t.Run("keeps the item where the slot can't be dropped", func(t *testing.T) {
		t.Parallel()
		f, p := interrupted(t)
		f.maker.refuseDrop = check.Report{check.Fail(check.ReplicationSlot, check.SlotActive, "m", "")}
		if _, err := f.service.Undo(t.Context(), p); code(err) != check.SlotActive {
			t.Errorf("error %v", err)
		}
		if pending, err := f.service.Interrupted(t.Context()); err != nil || len(pending) != 1 {
			t.Errorf("%d pending items, error %v", len(pending), err)
		}
		f.maker.refuseDrop = nil
		if _, err := f.service.Undo(t.Context(), p); err != nil {
			t.Errorf("the second time: %v", err)
		}
	})
	t.Run("a database that was deleted is no user of its slot", func(t *testing.T) {
		t.Parallel()
		f, p := interrupted(t)
		d := f.create(making(nil))
		if _, err := f.service.Delete(t.Context(), "acme", d.ID, database.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		if undone, err := f.service.Undo(t.Context(), p); err != nil || undone.Kept {
			t.Errorf("%+v, error %v", undone, err)
		}
	})
}

func TestCreate_HeldSlot(t *testing.T) {
	t.Parallel()
	f := makingFixture(t)
	d := database.Database{Account: "acme", Source: database.Source{SystemIdentifier: "7000"}}
	d.Endpoint.Database, d.Slot.SlotName = "postgres", "sequin_slot"
	h := database.SlotHold{Key: d.SlotKey(), Holder: "h", Since: *f.clock}
	if err := f.store.Catalog().HoldSlot(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	t.Run("a create waits until its time is up, and keeps nothing", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second+800*time.Millisecond)
		defer cancel()
		if _, err := f.service.Create(ctx, "acme", f.payload(base()), ""); code(err) != apierror.RequestInProgress {
			t.Errorf("error %v", err)
		}
		if n := len(f.prober.probed()); n < 2 {
			t.Errorf("%d probes, want the target examined again", n)
		}
	})
	t.Run("a create succeeds once the slot is released", func(t *testing.T) {
		if err := f.store.Catalog().ReleaseSlot(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		f.create(base())
	})
}
