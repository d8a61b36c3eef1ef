package functions_test

import (
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/gateway"
	"github.com/headgate/headgate/internal/testkit/pgserver"
)

func TestAPI_EveryRoute(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, a api) {
		c := &client{t, a, "acme"}
		payload := newSource(t, "orders")
		var created, read databaseResource
		c.call("POST", collection+"?dry_run=true", payload, 200, nil)
		c.call("POST", collection, payload, 201, &created)
		c.call("POST", collection, payload, 422, nil)
		for _, ref := range []string{created.ID, "orders"} {
			c.call("GET", collection+"/"+ref, nil, 200, &read)
			if read.ID != created.ID || read.Password != database.Mask {
				t.Errorf("%s is %+v", ref, read)
			}
		}
		c.wantPassword(orders, sourcePassword)
		c.lists(created.ID)
		c.inspects()
		c.updatesEachField(created, payload)
		c.call("PATCH", orders, map[string]any{"name": "renamed"}, 200, &read)
		c.call("GET", orders, nil, 404, nil)
		c.call("DELETE", collection+"/renamed", nil, 200, nil)
		c.call("DELETE", collection+"/renamed", nil, 404, nil)
		c.call("GET", collection+"/"+created.ID, nil, 404, nil)
		c.call("POST", collection, with(payload, "name", "renamed"), 201, &read)
		if read.ID == created.ID {
			t.Error("a deleted database's ID is used again")
		}
		c.call("DELETE", collection+"/renamed", nil, 200, nil)
		var empty struct{ Data []any }
		if c.call("GET", collection, nil, 200, &empty); empty.Data == nil {
			t.Error("an empty list is null")
		}
		c.call("TRACE", collection, nil, 405, nil)
		c.call("GET", "/api/nowhere", nil, 404, nil)
		var document struct{ OpenAPI string }
		c.call("GET", "/api/openapi.json", nil, 200, &document)
		if !strings.HasPrefix(document.OpenAPI, "3.1") {
			t.Errorf("the document has OpenAPI version %q", document.OpenAPI)
		}
	})
}

func (c *client) wantPassword(target, password string) {
	c.t.Helper()
	var read databaseResource
	c.call("GET", target+"?show_sensitive=true", nil, 200, &read)
	if read.Password != password {
		c.t.Error("show_sensitive does not return the current password")
	}
}

func (c *client) lists(id string) {
	c.t.Helper()
	var list struct {
		Data       []databaseResource `json:"data"`
		NextCursor *string            `json:"next_cursor"`
	}
	for _, target := range []string{collection, collection + "?limit=1", collection + "?show_sensitive=true"} {
		c.call("GET", target, nil, 200, &list)
		if len(list.Data) != 1 || list.Data[0].ID != id || list.NextCursor != nil {
			c.t.Errorf("%s: %+v", target, list)
		}
	}
	if list.Data[0].Password != sourcePassword {
		c.t.Error("the list does not have the password")
	}
	for _, query := range []string{"limit=0", "limit=1001", "limit=x", "cursor=x", "cursor="} {
		c.call("GET", collection+"?"+query, nil, 422, nil)
	}
}

func (c *client) inspects() {
	c.t.Helper()
	var tested struct {
		Success bool
		Checks  []map[string]any
	}
	c.call("POST", orders+"/test_connection", nil, 200, &tested)
	if !tested.Success || len(tested.Checks) < 14 {
		c.t.Errorf("test_connection: %+v", tested)
	}
	var refreshed struct {
		Success bool
		Tables  []struct {
			Schema          string
			Name            string
			ReplicaIdentity string `json:"replica_identity"`
			Readable        bool
		}
	}
	c.call("POST", orders+"/refresh_tables", nil, 200, &refreshed)
	if !refreshed.Success || len(refreshed.Tables) != 1 || refreshed.Tables[0].Name != pgserver.SourceTable ||
		refreshed.Tables[0].ReplicaIdentity != "default" || !refreshed.Tables[0].Readable {
		c.t.Errorf("refresh_tables: %+v", refreshed)
	}
}

// updatesEachField changes the fields one by one, and then sends the database
// back as it was read, which must change nothing.
func (c *client) updatesEachField(created databaseResource, payload map[string]any) {
	c.t.Helper()
	one := collection + "/" + created.ID
	var read databaseResource
	c.call("PUT", one, map[string]any{"hostname": "localhost"}, 200, &read)
	if read.Hostname != "localhost" {
		c.t.Errorf("hostname %q", read.Hostname)
	}
	c.call("PATCH", one, map[string]any{"hostname": "127.0.0.1", "ssl": false}, 200, &read)
	if read.SSL || read.Hostname != "127.0.0.1" {
		c.t.Errorf("read %+v", read)
	}
	c.call("PATCH", one, map[string]any{"ssl": true}, 200, &read)
	c.call("PATCH", one, map[string]any{"password": "wrong"}, 422, nil)
	c.call("PATCH", one, map[string]any{"port": 1}, 422, nil)
	c.call("PATCH", one, map[string]any{"port": "x"}, 422, nil)
	c.call("PATCH", one+"?verify=false", map[string]any{"password": "wrong"}, 200, nil)
	c.call("POST", one+"/test_connection", nil, 422, nil)
	c.call("POST", one+"/refresh_tables", nil, 422, nil)
	c.call("PUT", one, map[string]any{"password": payload["password"]}, 200, nil)
	c.wantPassword(one, sourcePassword)

	var before, after databaseResource
	c.call("GET", one, nil, 200, &before)
	sent := before
	sent.ReplicationSlots = []slotResource{before.ReplicationSlots[0]}
	sent.ReplicationSlots[0].ID = ""
	c.call("PUT", one, sent, 200, &after)
	if !reflect.DeepEqual(after, before) {
		c.t.Errorf("an update with what was read changes %+v to %+v", before, after)
	}
}

func TestAPI_TerraformSequence(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, a api) {
		c := &client{t, a, "acme"}
		payload := newSource(t, "orders")
		configuration := databaseResource{SSL: true}
		decode(t, encode(t, payload), &configuration)
		var state, read databaseResource
		c.call("POST", collection, configuration, 201, &state)
		c.call("GET", collection+"/"+state.ID, nil, 200, &read)
		if !reflect.DeepEqual(read, state) {
			t.Errorf("the plan has a difference: %+v, %+v", read, state)
		}
		slot := "terraform_" + configuration.Username
		execute(t, configuration.Database, "SELECT pg_create_logical_replication_slot('"+slot+"', 'pgoutput')")
		execute(t, "postgres", "ALTER ROLE "+configuration.Username+" PASSWORD 'rotated'")
		configuration.ReplicationSlots = []slotResource{{PublicationName: "pub", SlotName: slot}}
		configuration.Password = "rotated"
		c.call("PUT", collection+"/"+state.ID, configuration, 200, &state)
		c.wantPassword(collection+"/"+state.ID, "rotated")
		c.call("GET", collection+"/"+state.ID, nil, 200, &read)
		if read.ReplicationSlots[0].SlotName != slot || read.ReplicationSlots[0].ID != state.ReplicationSlots[0].ID {
			t.Errorf("slots after the change: %+v", read.ReplicationSlots)
		}
		c.call("DELETE", collection+"/"+state.ID, nil, 200, nil)
		c.call("DELETE", collection+"/"+state.ID, nil, 404, nil)
	})
}

func TestAPI_TwoAccounts(t *testing.T) {
	t.Parallel()
	f := newFunctions(t)
	mine, theirs := &client{t, f, "acme"}, &client{t, f, "globex"}
	payload := newSource(t, "orders")
	var first, second databaseResource
	mine.call("POST", collection, payload, 201, &first)
	theirs.call("POST", collection, payload, 201, &second)
	mine.call("PATCH", orders, map[string]any{"name": "mine"}, 200, nil)
	for _, ref := range []string{first.ID, "mine"} {
		one := collection + "/" + ref
		theirs.call("GET", one, nil, 404, nil)
		theirs.call("GET", one+"?show_sensitive=true", nil, 404, nil)
		theirs.call("PUT", one, map[string]any{"name": "x"}, 404, nil)
		theirs.call("PATCH", one, map[string]any{"name": "x"}, 404, nil)
		theirs.call("DELETE", one, nil, 404, nil)
		theirs.call("POST", one+"/test_connection", nil, 404, nil)
		theirs.call("POST", one+"/refresh_tables", nil, 404, nil)
	}
	var list struct{ Data []databaseResource }
	theirs.call("GET", collection, nil, 200, &list)
	if len(list.Data) != 1 || list.Data[0].ID != second.ID {
		t.Errorf("the other account's list: %+v", list.Data)
	}
}

func TestAPI_ConcurrentCreatesWithOneKey(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, a api) {
		request := gateway.Request{
			Account: "acme", Method: http.MethodPost, Target: collection, Body: encode(t, newSource(t, "orders")),
			Header: map[string]string{"Idempotency-Key": "once"},
		}
		responses := make([]response, 100)
		var rivals sync.WaitGroup
		for i := range responses {
			rivals.Go(func() { responses[i] = a.do(t, request) })
		}
		rivals.Wait()
		ids := map[string]int{}
		for _, got := range responses {
			var out struct{ ID, Code string }
			decode(t, got.body, &out)
			switch {
			case got.status == http.StatusCreated:
				ids[out.ID]++
			case got.status != http.StatusConflict || out.Code != "request_in_progress":
				t.Errorf("%d %s", got.status, got.body)
			}
		}
		if len(ids) != 1 {
			t.Errorf("IDs %v, want one", ids)
		}
	})
}
