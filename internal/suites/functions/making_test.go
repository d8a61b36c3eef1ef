package functions_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/devserver"
	"github.com/headgate/headgate/internal/localstore"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

// bare returns a payload whose publication and slot are to be made in a new source, and
// the source's database. The role may make the publication of its own table.
func bare(t *testing.T, name string) (payload map[string]any, db string) {
	t.Helper()
	return bareOn(t, machine.Postgres, name)
}

// bareOn is bare for a source on another server.
func bareOn(t *testing.T, server *pgserver.Server, name string) (payload map[string]any, db string) {
	t.Helper()
	payload = newSourceOn(t, server, name)
	db, slot := payload["database"].(string), slotOf(payload)
	for _, sql := range []string{
		fmt.Sprintf("SELECT pg_drop_replication_slot('%s')", slot["slot_name"]),
		"DROP PUBLICATION pub",
		fmt.Sprintf(`GRANT CREATE ON DATABASE %[1]s TO %[2]s; CREATE TABLE "o;r'ders"(id int PRIMARY KEY); ALTER TABLE "o;r'ders" OWNER TO %[2]s`,
			db, payload["username"]),
	} {
		if _, err := server.Exec(t.Context(), db, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	slot["create_if_not_exists"] = true
	slot["publication"] = map[string]any{
		"create_if_not_exists": true, "tables": []any{map[string]any{"schema": "public", "name": "o;r'ders"}},
	}
	return with(payload, "replication_slots", []any{slot}), db
}

func slotOf(payload map[string]any) map[string]any {
	return maps.Clone(payload["replication_slots"].([]any)[0].(map[string]any))
}

// onTarget returns the names of the slots and the publications of a source.
func onTarget(t *testing.T, db string) (slots, publications []string) {
	t.Helper()
	list := func(sql string) []string {
		out, err := machine.Postgres.Exec(t.Context(), db, sql)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		if err := json.Unmarshal([]byte(out), &names); err != nil {
			t.Fatalf("%v: %q", err, out)
		}
		return names
	}
	return list(fmt.Sprintf("SELECT coalesce(json_agg(slot_name), '[]') FROM pg_replication_slots WHERE database = '%s'", db)),
		list("SELECT coalesce(json_agg(pubname), '[]') FROM pg_publication")
}

func wantOnTarget(t *testing.T, db string, slots, publications []string) {
	t.Helper()
	s, p := onTarget(t, db)
	slices.Sort(s)
	if !slices.Equal(s, slots) || !slices.Equal(p, publications) {
		t.Errorf("on the target are the slots %v and the publications %v, want %v and %v", s, p, slots, publications)
	}
}

func TestAPI_Making(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, a api) {
		c := &client{t, a, "acme"}
		payload, db := bare(t, "orders")
		slot := slotOf(payload)["slot_name"].(string)
		var made struct {
			ID       string
			Created  []string
			Warnings []struct{ Code string }
		}
		c.call("POST", collection+"?dry_run=true", payload, 200, nil)
		wantOnTarget(t, db, nil, nil)
		missing := with(payload, "replication_slots", []any{with(slotOf(payload), "publication", map[string]any{
			"create_if_not_exists": true, "tables": []any{map[string]any{"schema": "public", "name": "nowhere"}},
		})})
		var refused struct {
			ValidationErrors map[string][]string `json:"validation_errors"`
		}
		c.call("POST", collection, missing, 422, &refused)
		if len(refused.ValidationErrors["replication_slots[0].publication.tables[0]"]) == 0 {
			t.Errorf("a missing table: %v", refused.ValidationErrors)
		}
		wantOnTarget(t, db, nil, nil)
		c.call("POST", collection, payload, 201, &made)
		if !slices.Equal(made.Created, []string{"publication", "replication_slot"}) {
			t.Errorf("created %v", made.Created)
		}
		wantOnTarget(t, db, []string{slot}, []string{"pub"})
		c.call("POST", orders+"/test_connection", nil, 200, nil)

		second := with(with(payload, "name", "second"), "hostname", "localhost")
		made.Created = nil
		c.call("POST", collection, second, 201, &made)
		if len(made.Created) > 0 || !slices.ContainsFunc(made.Warnings, func(w struct{ Code string }) bool { return w.Code == "replication_slot_shared" }) {
			t.Errorf("created %v, warnings %v", made.Created, made.Warnings)
		}
		var failed struct{ Reason string }
		c.call("DELETE", orders+"?drop_slot=true", nil, 422, &failed)
		c.call("DELETE", orders+"?drop_publication=true", nil, 422, nil)
		c.call("GET", orders, nil, 200, nil)

		var updated struct {
			Created      []string
			LeftOnTarget *database.LeftOnTarget `json:"left_on_target"`
		}
		change := map[string]any{"replication_slots": []any{map[string]any{"slot_name": slot + "_next", "create_if_not_exists": true}}}
		c.call("PATCH", collection+"/second?verify=false", change, 422, nil)
		c.call("PATCH", collection+"/second", change, 200, &updated)
		if !reflect.DeepEqual(updated.Created, []string{"replication_slot"}) || updated.LeftOnTarget == nil || updated.LeftOnTarget.SlotName != slot {
			t.Errorf("the update answers %+v", updated)
		}
		wantOnTarget(t, db, []string{slot, slot + "_next"}, []string{"pub"})

		var deleted struct {
			Dropped      []string
			LeftOnTarget *database.LeftOnTarget `json:"left_on_target"`
		}
		c.call("DELETE", orders+"?drop_slot=true&drop_publication=true", nil, 422, &failed)
		if !contains(failed.Reason, "publication", `"second"`) {
			t.Errorf("a publication that the other one has: %s", failed.Reason)
		}
		c.call("DELETE", orders+"?drop_slot=true", nil, 200, &deleted)
		if !slices.Equal(deleted.Dropped, []string{"replication_slot"}) || deleted.LeftOnTarget != nil {
			t.Errorf("the delete answers %+v", deleted)
		}
		wantOnTarget(t, db, []string{slot + "_next"}, []string{"pub"})
		deleted.Dropped = nil
		c.call("DELETE", collection+"/second", nil, 200, &deleted)
		if len(deleted.Dropped) > 0 || deleted.LeftOnTarget == nil {
			t.Fatalf("the delete answers %+v", deleted)
		}
		wantOnTarget(t, db, []string{slot + "_next"}, []string{"pub"})
		execute(t, db, deleted.LeftOnTarget.Fix)
		wantOnTarget(t, db, nil, []string{"pub"})
	})
}

func TestAPI_DropBoth(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, a api) {
		c := &client{t, a, "acme"}
		payload, db := bare(t, "orders")
		c.call("POST", collection, payload, 201, nil)
		var deleted struct{ Dropped []string }
		c.call("DELETE", orders+"?drop_slot=true&drop_publication=true", nil, 200, &deleted)
		if !slices.Equal(deleted.Dropped, []string{"replication_slot", "publication"}) {
			t.Errorf("dropped %v", deleted.Dropped)
		}
		wantOnTarget(t, db, nil, nil)
		c.call("GET", orders, nil, 404, nil)
	})
}

func TestService_RacingForOneSlot(t *testing.T) {
	t.Parallel()
	race := func(t *testing.T, service *database.Service) {
		t.Helper()
		payload, db := bare(t, "orders")
		made := make([]database.Created, 8)
		errs := storetest.Race(len(made), func(i int) (err error) {
			made[i], err = service.Create(t.Context(), "acme", parse(t, with(payload, "name", fmt.Sprintf("orders-%d", i))), "")
			return err
		})
		slots := 0
		for i, err := range errs {
			if err != nil && apierror.KindOf(err) != apierror.Invalid {
				t.Errorf("request %d: %v", i, err)
			}
			if err != nil {
				t.Logf("request %d: %v", i, err)
				continue
			}
			if slices.Contains(made[i].Database.Created, "replication_slot") {
				slots++
			}
		}
		if won := wins(t, errs, func(err error) bool { return apierror.KindOf(err) == apierror.Invalid }); won != len(errs) || slots != 1 {
			t.Errorf("%d of %d are registered, %d made the slot", won, len(errs), slots)
		}
		wantOnTarget(t, db, []string{slotOf(payload)["slot_name"].(string)}, []string{"pub"})
	}
	t.Run("on moto one makes it, and the others find it", func(t *testing.T) {
		t.Parallel()
		race(t, newStack(t).service())
	})
	t.Run("on the local store one makes it, and the others find it", func(t *testing.T) {
		t.Parallel()
		race(t, localService(t))
	})
}

// TestService_UndoKeepsPublication has an interrupted request whose publication another
// database has taken up, with a slot of its own.
func TestService_UndoKeepsPublication(t *testing.T) {
	t.Parallel()
	for name, service := range map[string]*database.Service{"on moto": newStack(t).service(), "on the local store": localService(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			payload, db := bare(t, "orders")
			slot := slotOf(payload)["slot_name"].(string)
			other, err := service.Create(t.Context(), "other", parse(t, payload), "")
			if err != nil {
				t.Fatal(err)
			}
			execute(t, db, fmt.Sprintf("SELECT pg_create_logical_replication_slot('%s_left', 'pgoutput')", slot))
			p, id := parse(t, payload).Target, storetest.ID()
			d := database.Database{Account: "acme", ID: id, Endpoint: p.Endpoint}
			stored, err := service.Vault.Create(t.Context(), d, p.Passwords)
			if err != nil {
				t.Fatal(err)
			}
			p.Slot.SlotName += "_left"
			undone, err := service.Undo(t.Context(), database.Pending{
				Account: d.Account, DatabaseID: id, Endpoint: p.Endpoint, Slot: p.Slot, Source: other.Database.Source,
				Making: database.Making{Publication: true, Slot: true}, SecretVersion: stored.Version, CreatedAt: time.Now(),
			})
			if err != nil || !undone.Kept || undone.Dropped != (database.Making{Slot: true}) {
				t.Errorf("%+v, error %v", undone, err)
			}
			wantOnTarget(t, db, []string{slot}, []string{"pub"})
		})
	}
}

// TestServer_Recovery starts the development server on a file with the request of a killed
// one.
func TestServer_Recovery(t *testing.T) {
	t.Parallel()
	payload, db := bare(t, "orders")
	slot := slotOf(payload)["slot_name"].(string)
	p, path := parse(t, payload), filepath.Join(t.TempDir(), "headgate.db")
	execute(t, db, fmt.Sprintf("SELECT pg_create_logical_replication_slot('%s', 'pgoutput')", slot))
	store, err := localstore.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	d := database.Database{Account: devserver.Account, ID: storetest.ID(), Endpoint: p.Target.Endpoint, Slot: p.Target.Slot}
	_, err = store.Vault().Create(t.Context(), d, p.Target.Passwords)
	err = errors.Join(err, store.Catalog().AddPending(t.Context(), database.Pending{
		Account: d.Account, DatabaseID: d.ID, Endpoint: d.Endpoint, Slot: d.Slot, Making: database.Making{Slot: true},
		SecretVersion: d.ID, CreatedAt: time.Now(),
	}), store.Close())
	if err != nil {
		t.Fatal(err)
	}
	newServerOn(t, path)
	eventually(t, 20*time.Second, "the slot to be dropped", func() bool {
		slots, _ := onTarget(t, db)
		return len(slots) == 0
	})
}
