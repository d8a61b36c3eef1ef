package changes_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/health"
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
	w.mustCall("r3", "PATCH", collection+"/orders", map[string]any{"name": "renamed"}, 200)
	w.mustCall("r4", "DELETE", collection+"/renamed", nil, 200)
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
		got = append(got, kind+" of "+d.Database.Name)
	}
	// Whatever became of the database since, the event has it as it was checked.
	want := []string{
		"Created of orders", "Health Changed healthy of orders", "Updated of orders", "Health Changed failing of orders",
		"Updated of renamed", "Deleted of renamed",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}
