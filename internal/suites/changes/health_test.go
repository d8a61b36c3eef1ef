package changes_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/health"
	"github.com/headgate/headgate/internal/publish"
)

// check invokes check-database with one database.
func (w *world) check(id string) {
	w.t.Helper()
	body, err := json.Marshal(health.Message{Databases: []database.Ref{{Account: account, DatabaseID: id}}})
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := w.invoke("check-database", events.SQSEvent{Records: []events.SQSMessage{{MessageId: "m", Body: string(body)}}})
	if err != nil || string(response) != `{"batchItemFailures":[]}` {
		w.t.Fatalf("check: %s, error %v", response, err)
	}
}

func TestChanges_Health(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.mustCall("r1", "POST", collection, payload("orders"), 201)
	id, _ := created["id"].(string)
	for range 3 {
		w.check(id)
	}
	// The registered slot is one that the server does not have.
	w.mustCall("r2", "PATCH", collection+"/orders?verify=false", map[string]any{"replication_slots": []any{map[string]any{"slot_name": "nowhere"}}}, 200)
	for range 3 {
		w.check(id)
	}
	w.mustCall("r3", "DELETE", collection+"/orders", nil, 200)
	w.drain()
	var got []string
	put := w.bus.events()
	for i, d := range details(t, put) {
		wantValid(t, put[i])
		kind := strings.TrimPrefix(put[i].DetailType, "Postgres Database ")
		if d.Health != nil {
			kind += " " + string(d.Health.Status)
			if d.RequestID == "" || d.OccurredAt.IsZero() || d.Database.ID != id {
				t.Errorf("detail %s", put[i].Detail)
			}
		}
		got = append(got, kind)
	}
	// The database of a changed health is read when the event is put, and it is deleted
	// here by then: only what came before is told of.
	if want := []string{"Created", "Updated", "Deleted"}; !reflect.DeepEqual(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

func TestChanges_HealthOfEachState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.mustCall("r1", "POST", collection, payload("orders"), 201)
	id, _ := created["id"].(string)
	drainAfter := func(step func()) {
		step()
		for w.deliver() {
			continue
		}
	}
	drainAfter(func() { w.check(id) })
	drainAfter(func() { w.check(id) })
	drainAfter(func() {
		w.mustCall("r2", "PATCH", collection+"/orders?verify=false", map[string]any{"replication_slots": []any{map[string]any{"slot_name": "nowhere"}}}, 200)
		w.check(id)
	})
	drainAfter(func() { w.check(id) })
	var got []string
	put := w.bus.events()
	for i, d := range details(t, put) {
		wantValid(t, put[i])
		if put[i].DetailType == publish.HealthChangedType {
			got = append(got, string(d.Health.Status))
			if d.RequestID == "" || d.OccurredAt.IsZero() || d.Database.ID != id {
				t.Errorf("detail %s", put[i].Detail)
			}
		}
	}
	if want := []string{"healthy", "failing"}; !reflect.DeepEqual(got, want) {
		t.Errorf("health %v, want %v", got, want)
	}
}
