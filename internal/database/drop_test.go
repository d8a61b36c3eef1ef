package database_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

func TestDelete_Drop(t *testing.T) {
	t.Parallel()
	all := database.DeleteOptions{DropSlot: true, DropPublication: true}
	for name, tt := range map[string]struct {
		options database.DeleteOptions
		exists  database.Making
		dropped []string
		left    bool
	}{
		"without options the target is not dialled": {database.DeleteOptions{}, both, nil, true},
		"the slot":                       {database.DeleteOptions{DropSlot: true}, both, []string{"replication_slot"}, false},
		"both":                           {all, both, []string{"replication_slot", "publication"}, false},
		"both, of which one is gone":     {all, database.Making{Publication: true}, []string{"publication"}, false},
		"both, of which nothing is left": {all, database.Making{}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := makingFixture(t)
			f.maker.exists = tt.exists
			d := f.create(base())
			deleted, err := f.service.Delete(t.Context(), "acme", d.ID, tt.options)
			if err != nil || deleted.ID != d.ID || !slices.Equal(deleted.Dropped, tt.dropped) || (deleted.LeftOnTarget != nil) != tt.left {
				t.Errorf("%+v, error %v", deleted, err)
			}
			if tt.left && *deleted.LeftOnTarget != (database.LeftOnTarget{SlotName: "sequin_slot", PublicationName: "sequin_pub", Fix: "DROP sequin_slot sequin_pub"}) {
				t.Errorf("left %+v", *deleted.LeftOnTarget)
			}
			if f.maker.exists.Slot != tt.left || len(f.prober.probed()) != 1 {
				t.Errorf("on the target %+v, after %d probes", f.maker.exists, len(f.prober.probed()))
			}
			f.create(base()) // nothing holds the slot
		})
	}
	t.Run("what can't be dropped deletes nothing", func(t *testing.T) {
		t.Parallel()
		f := makingFixture(t)
		d := f.create(base())
		f.maker.refuseDrop = check.Report{check.Fail(check.ReplicationSlot, check.SlotActive, "m", "f")}
		deleted, err := f.service.Delete(t.Context(), "acme", d.ID, all)
		if first, failed := deleted.Refused.FirstFailure(); err != nil || !failed || first.Code != check.SlotActive {
			t.Errorf("%+v, error %v", deleted, err)
		}
		if _, err := f.service.Get(t.Context(), "acme", d.ID); err != nil || f.passwords(d).Main != "secret-password" {
			t.Errorf("the database is gone: %v", err)
		}
		f.maker.refuseDrop = nil
		if deleted, err := f.service.Delete(t.Context(), "acme", d.ID, all); err != nil || deleted.Refused != nil {
			t.Errorf("the second time %+v, error %v", deleted, err)
		}
	})
	t.Run("a slot that another database has deletes nothing", func(t *testing.T) {
		t.Parallel()
		for account, who := range map[string]string{"acme": `database "second"`, "other": "another database"} {
			f := makingFixture(t)
			d := f.create(base())
			if _, err := f.service.Create(t.Context(), account, f.payload(with(base(), "name", "second")), ""); err != nil {
				t.Fatal(err)
			}
			deleted, err := f.service.Delete(t.Context(), "acme", d.ID, all)
			first, failed := deleted.Refused.FirstFailure()
			kept := `replication slot "sequin_slot" is registered for ` + who + ` too: it is not dropped`
			if err != nil || !failed || first.Code != check.SlotShared || first.Message != kept || len(f.maker.dropped) > 0 {
				t.Errorf("%+v, dropped %v, error %v", deleted, f.maker.dropped, err)
			}
			if len(deleted.Refused) != len(check.Names()) {
				t.Errorf("the report has %d checks", len(deleted.Refused))
			}
			if _, err := f.service.Delete(t.Context(), account, "second", database.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			if deleted, err := f.service.Delete(t.Context(), "acme", d.ID, all); err != nil || deleted.Refused != nil {
				t.Errorf("without the other %+v, error %v", deleted, err)
			}
		}
	})
	t.Run("a publication that another database has deletes nothing", func(t *testing.T) {
		t.Parallel()
		for account, want := range map[string]string{"acme": `database "second"`, "other": "another database"} {
			f := makingFixture(t)
			d := f.create(slotWith("slot_name", "first"))
			if _, err := f.service.Create(t.Context(), account, f.payload(with(slotWith("slot_name", "second"), "name", "second")), ""); err != nil {
				t.Fatal(err)
			}
			deleted, err := f.service.Delete(t.Context(), "acme", d.ID, all)
			first, failed := deleted.Refused.FirstFailure()
			if err != nil || !failed || first.Code != check.PublicationCreateDenied || !strings.Contains(first.Message, want) || len(f.maker.dropped) > 0 {
				t.Errorf("%+v, dropped %v, error %v", deleted, f.maker.dropped, err)
			}
			if deleted, err := f.service.Delete(t.Context(), "acme", d.ID, database.DeleteOptions{DropSlot: true}); err != nil || deleted.Refused != nil {
				t.Errorf("without the publication %+v, error %v", deleted, err)
			}
			if deleted, err := f.service.Delete(t.Context(), account, "second", all); err != nil || deleted.Refused != nil {
				t.Errorf("the other one %+v, error %v", deleted, err)
			}
		}
	})
	t.Run("a database whose server is not known yet is examined first", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		d := f.create(base())
		f.prober.source = "7000"
		f.create(with(base(), "name", "second"))
		deleted, err := f.service.Delete(t.Context(), "acme", d.ID, all)
		if first, failed := deleted.Refused.FirstFailure(); err != nil || !failed || first.Code != check.SlotShared {
			t.Errorf("%+v, error %v", deleted, err)
		}
		if _, err := f.service.Delete(t.Context(), "acme", "second", database.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		if deleted, err := f.service.Delete(t.Context(), "acme", d.ID, all); err != nil || deleted.Refused != nil || len(f.maker.dropped) != 1 {
			t.Errorf("%+v, error %v", deleted, err)
		}
		f.create(base())
	})
	t.Run("a target that can't be reached deletes nothing", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		d := f.create(base())
		f.prober.findings = check.Report{check.Fail(check.Connection, check.ConnectionRefused, "m", "")}
		deleted, err := f.service.Delete(t.Context(), "acme", d.ID, all)
		if first, failed := deleted.Refused.FirstFailure(); err != nil || !failed || first.Code != check.ConnectionRefused || len(f.maker.dropped) > 0 {
			t.Errorf("%+v, error %v", deleted, err)
		}
	})
	t.Run("an unknown database is not found", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		if _, err := f.service.Delete(t.Context(), "acme", "nowhere", all); apierror.KindOf(err) != apierror.NotFound {
			t.Errorf("error %v", err)
		}
	})
}

func TestUpdate_Making(t *testing.T) {
	t.Parallel()
	const newSlot = `{"replication_slots":[{"slot_name":"new_slot","create_if_not_exists":true}]}`
	t.Run("a missing slot is made, and the old one is left", func(t *testing.T) {
		t.Parallel()
		f := makingFixture(t)
		old := f.create(base())
		u, err := f.update(old.ID, newSlot, true)
		if err != nil || u.Database.Slot.SlotName != "new_slot" || !reflect.DeepEqual(f.maker.made, []database.Making{slotOnly}) || len(f.maker.dropped) > 0 {
			t.Fatalf("%+v, made %v, error %v", u.Database.Slot, f.maker.made, err)
		}
		if u.LeftOnTarget == nil || u.LeftOnTarget.SlotName != "sequin_slot" || u.LeftOnTarget.Fix != "DROP sequin_slot " || !slices.Equal(u.Database.Created, []string{"replication_slot"}) {
			t.Errorf("left %+v, created %v", u.LeftOnTarget, u.Database.Created)
		}
		f.wantNothingLeft(u.Database)
		if stored, err := f.service.Get(t.Context(), "acme", old.ID); err != nil || stored.Created != nil {
			t.Errorf("stored %v, error %v", stored.Created, err)
		}
	})
	t.Run("an own slot that is gone is made again", func(t *testing.T) {
		t.Parallel()
		f := makingFixture(t)
		old := f.create(base())
		u, err := f.update(old.ID, `{"replication_slots":[{"create_if_not_exists":true}]}`, true)
		if err != nil || u.LeftOnTarget != nil || !f.maker.exists.Slot || u.Database.Version != old.Version+1 {
			t.Errorf("%+v, left %+v, error %v", u.Database, u.LeftOnTarget, err)
		}
		u, err = f.update(old.ID, `{"replication_slots":[{"create_if_not_exists":true}]}`, true)
		if err != nil || u.Database.Version != old.Version+1 || u.Database.Created != nil {
			t.Errorf("where nothing is missing: %+v, error %v", u.Database, err)
		}
	})
	t.Run("with verify=false it is a field's error", func(t *testing.T) {
		t.Parallel()
		f := makingFixture(t)
		old := f.create(base())
		_, err := f.update(old.ID, newSlot, false)
		if code(err) != apierror.InvalidPayload || len(f.maker.made) > 0 {
			t.Errorf("error %v", err)
		}
		p, err := database.ParsePatch([]byte(newSlot))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.service.DryRunUpdate(t.Context(), "acme", old.ID, p, false); code(err) != apierror.InvalidPayload {
			t.Errorf("the dry run: error %v", err)
		}
	})
	t.Run("a refusal leaves everything as it was", func(t *testing.T) {
		t.Parallel()
		f := makingFixture(t)
		old := f.create(base())
		f.maker.findings = blocked
		if _, err := f.update(old.ID, `{"password":"next","replication_slots":[{"slot_name":"new_slot","create_if_not_exists":true}]}`, true); code(err) != check.SlotCreateBlocked {
			t.Errorf("error %v", err)
		}
		kept, err := f.service.Get(t.Context(), "acme", old.ID)
		if err != nil || kept.Version != old.Version || f.passwords(kept).Main != "secret-password" {
			t.Errorf("%+v, error %v", kept, err)
		}
		f.wantNothingLeft(kept)
	})
	t.Run("a conflict undoes what was made", func(t *testing.T) {
		t.Parallel()
		f := makingFixture(t)
		old := f.create(base())
		f.maker.before = func() {
			next := old
			next.Version, next.Change, next.Slot.Status = old.Version+1, "change", database.SlotDisabled
			if err := f.store.Catalog().Update(t.Context(), old, next); err != nil {
				t.Error(err)
			}
		}
		if _, err := f.update(old.ID, newSlot, true); code(err) != apierror.VersionConflict {
			t.Errorf("error %v", err)
		}
		f.wantNothingLeft()
	})
}

func TestTestConnection_Source(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := f.create(base())
	u, err := f.update(first.ID, `{"password":"another"}`, true)
	if err != nil || len(u.Database.ChangedPasswords) != 1 {
		t.Fatalf("changed %v, error %v", u.Database.ChangedPasswords, err)
	}
	f.prober.source = "7000"
	by := database.Origin{RequestID: "test"}
	for range 2 {
		if _, err := f.service.TestConnection(database.WithOrigin(t.Context(), by), "acme", first.ID); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := f.service.Get(t.Context(), "acme", first.ID)
	if err != nil || stored.Source.SystemIdentifier != "7000" || stored.Version != first.Version+2 {
		t.Errorf("version %d on %q, error %v", stored.Version, stored.Source.SystemIdentifier, err)
	}
	if stored.ChangedBy != by || stored.ChangedPasswords != nil {
		t.Errorf("changed by %v, passwords %v", stored.ChangedBy, stored.ChangedPasswords)
	}
	second := f.create(with(base(), "name", "second"))
	if !slices.ContainsFunc(second.Warnings, func(w check.Warning) bool { return w.Code == check.SlotShared }) {
		t.Errorf("warnings %v", second.Warnings)
	}
}
