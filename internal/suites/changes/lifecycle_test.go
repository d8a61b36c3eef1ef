package changes_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/publish"
	"github.com/headgate/headgate/internal/testkit/gateway"
)

const collection = gateway.Collection

// payload returns the payload of a create, or a part of it.
func payload(name string) map[string]any {
	p := machine.Payload(name, source)
	p["annotations"] = map[string]any{"team": "orders"}
	return p
}

// details decodes the details of events.
func details(t *testing.T, put []entry) []publish.Detail {
	t.Helper()
	all := make([]publish.Detail, len(put))
	for i, e := range put {
		if err := json.Unmarshal([]byte(e.Detail), &all[i]); err != nil {
			t.Fatalf("%v: %s", err, e.Detail)
		}
	}
	return all
}

func TestChanges_Lifecycle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.mustCall("r1", "POST", collection, payload("orders"), 201)
	if arn, _ := created["secret_arn"].(string); !strings.HasPrefix(arn, "arn:aws:secretsmanager:") {
		t.Errorf("secret_arn %q", arn)
	}
	shared, err := w.Share(t.Context(), account, "theirs-"+w.Table, payload("by-event"))
	if err != nil {
		t.Fatal(err)
	}
	shared["account_id"] = account
	event := map[string]any{"id": "event-1", "source": "platform", "detail-type": "Postgres Database Requested", "detail": shared}
	if _, err := w.invoke("provision-database", event); err != nil {
		t.Fatal(err)
	}
	refused := maps.Clone(event)
	refused["id"] = "event-2" // the name is taken by now
	if _, err := w.invoke("provision-database", refused); err != nil {
		t.Fatal(err)
	}
	one := collection + "/orders"
	w.mustCall("r2", "PATCH", one, map[string]any{"annotations": map[string]any{"team": "billing"}}, 200)
	w.mustCall("r3", "PATCH", one, map[string]any{"annotations": map[string]any{"team": "billing"}}, 200) // changes nothing
	w.mustCall("r4", "PATCH", one+"?verify=false", map[string]any{"password": "another-password"}, 200)
	renamed := w.mustCall("r5", "PATCH", one, map[string]any{"name": "renamed"}, 200)
	w.mustCall("r6", "DELETE", collection+"/renamed", nil, 200)
	w.drain()

	put := w.bus.events()
	var got [][]string
	for i, d := range details(t, put) {
		wantValid(t, put[i])
		if put[i].Source != "headgate" || put[i].EventBusName != w.Table {
			t.Errorf("put %+v", put[i])
		}
		kind := strings.TrimPrefix(put[i].DetailType, "Postgres Database ")
		got = append(got, append([]string{kind, d.RequestID, d.KeyID}, d.Changed...))
	}
	const key = "0123456789abcdef"
	want := [][]string{
		{"Rejected", "event-2", ""},
		{"Created", "r1", key},
		{"Created", "event-1", ""},
		{"Updated", "r2", key, "annotations.team"},
		{"Updated", "r4", key, "password"},
		{"Updated", "r5", key, "name"},
		{"Deleted", "r6", key},
	}
	want[3] = []string{"Updated", "r2", key, "annotations"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("events\n%v\nwant\n%v", got, want)
	}
	// The object is the one that the API shows.
	for i, object := range map[int]map[string]any{1: created, 5: renamed, 6: renamed} {
		var detail struct{ Database map[string]any }
		if err := json.Unmarshal([]byte(put[i].Detail), &detail); err != nil || !reflect.DeepEqual(detail.Database, object) {
			t.Errorf("event %d has the object %v, want %v (%v)", i, detail.Database, object, err)
		}
	}
	w.wantNoPassword(password, "another-password")
}

// wantNoPassword fails the test if a password is in an event or a log.
func (w *world) wantNoPassword(passwords ...string) {
	w.t.Helper()
	for _, name := range slices.Collect(maps.Keys(w.running)) {
		w.stop(name)
	}
	texts := []string{w.logs.String()}
	for _, e := range w.bus.events() {
		texts = append(texts, e.Detail)
	}
	for _, text := range texts {
		for _, p := range passwords {
			if strings.Contains(text, p) {
				w.t.Error("a password is in an event or a log")
			}
		}
	}
}

func TestChanges_CrashBetweenWriteAndPublish(t *testing.T) {
	t.Parallel()
	for _, f := range []fault{crashBefore, crashAfter} {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.mustCall("r1", "POST", collection, payload("orders"), 201)
			w.stop("create-database") // it has nothing to do with what is published
			w.bus.setFaults(func() fault { return f })
			for range 3 {
				if !w.deliver() {
					t.Fatal("nothing was delivered")
				}
			}
			w.mustCall("r2", "DELETE", collection+"/orders", nil, 200)
			w.drain()
			kinds, seen := []string{}, map[string]bool{}
			put := w.bus.events()
			for i, d := range details(t, put) {
				if !seen[d.ID] {
					kinds = append(kinds, put[i].DetailType)
				}
				seen[d.ID] = true
			}
			if want := []string{publish.CreatedType, publish.DeletedType}; !slices.Equal(kinds, want) || w.crashes != 3 {
				t.Errorf("events %v after %d crashes, want %v", kinds, w.crashes, want)
			}
		})
	}
}

func TestChanges_PoisonedRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mustCall("r1", "POST", collection, payload("orders"), 201)
	w.putItem("database#poison", "not JSON")
	w.mustCall("r2", "POST", collection, payload("next"), 201)
	w.drain()
	if put := w.bus.events(); len(put) != 2 {
		t.Errorf("events %+v", put)
	}
	letters := w.deadLetters()
	if len(letters) != 1 || !strings.Contains(letters[0], "database#poison") || !strings.Contains(letters[0], `"Records":[`) {
		t.Fatalf("dead letters %q", letters)
	}
	// A message is an event for the function again: it fails as before, and nothing else.
	if _, err := w.invoke(publisher, []byte(letters[0])); err != nil || len(w.deadLetters()) != 1 {
		t.Errorf("invoked with the message: %v", err)
	}
}
