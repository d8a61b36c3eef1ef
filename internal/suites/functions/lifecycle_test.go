package functions_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// served are the ways in which the API is served, each over its own stores.
func served(t *testing.T) map[string]func(*testing.T) api {
	t.Helper()
	return map[string]func(*testing.T) api{
		"functions over moto":               func(t *testing.T) api { return newGateway(t) },
		"development server over its store": func(t *testing.T) api { return newLocal(t) },
	}
}

// resource is what a client has in its configuration for a source.
func resource(t *testing.T, payload map[string]any) databaseResource {
	t.Helper()
	body, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	r := databaseResource{SSL: true}
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEveryRouteThroughALife(t *testing.T) {
	t.Parallel()
	for name, serve := range served(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &client{t, serve(t), "acme"}
			payload := source(t, "orders")
			var made, read databaseResource
			c.call("POST", collection+"?dry_run=true", payload, 200, nil)
			c.call("POST", collection, payload, 201, &made)
			c.call("POST", collection, payload, 422, nil)
			for _, ref := range []string{made.ID, "orders"} {
				c.call("GET", collection+"/"+ref, nil, 200, &read)
				if read.ID != made.ID || read.Password != "************" {
					t.Errorf("by %s: %+v", ref, read)
				}
			}
			c.call("GET", collection+"/orders?show_sensitive=true", nil, 200, &read)
			if read.Password != sourcePassword {
				t.Error("show_sensitive does not show the password")
			}
			c.lists(made.ID)
			c.inspects()
			c.updatesEachField(made, payload)
			c.call("PATCH", collection+"/orders", map[string]any{"name": "renamed"}, 200, &read)
			c.call("GET", collection+"/orders", nil, 404, nil)
			c.call("DELETE", collection+"/renamed", nil, 200, nil)
			c.call("DELETE", collection+"/renamed", nil, 404, nil)
			c.call("GET", collection+"/"+made.ID, nil, 404, nil)
			c.call("POST", collection, with(payload, "name", "renamed"), 201, &read)
			if read.ID == made.ID {
				t.Error("the ID was used again")
			}
			c.call("TRACE", collection, nil, 405, nil)
			var document struct{ OpenAPI string }
			c.call("GET", "/api/openapi.json", nil, 200, &document)
			if !strings.HasPrefix(document.OpenAPI, "3.1") {
				t.Errorf("the document is of OpenAPI %q", document.OpenAPI)
			}
			var empty struct{ Data []any }
			c.call("DELETE", collection+"/renamed", nil, 200, nil)
			if c.call("GET", collection, nil, 200, &empty); empty.Data == nil {
				t.Error("an empty list is null")
			}
			c.call("GET", "/api/nowhere", nil, 404, nil)
		})
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
		c.t.Error("the list does not show the password")
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
	c.call("POST", collection+"/orders/test_connection", nil, 200, &tested)
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
	c.call("POST", collection+"/orders/refresh_tables", nil, 200, &refreshed)
	if !refreshed.Success || len(refreshed.Tables) != 1 || refreshed.Tables[0].Name != "t" ||
		refreshed.Tables[0].ReplicaIdentity != "default" || !refreshed.Tables[0].Readable {
		c.t.Errorf("refresh_tables: %+v", refreshed)
	}
}

// updatesEachField changes one field after another, and then sends back all
// that was read, which changes nothing.
func (c *client) updatesEachField(made databaseResource, payload map[string]any) {
	c.t.Helper()
	one := collection + "/" + made.ID
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
	c.call("GET", one+"?show_sensitive=true", nil, 200, &read)
	if read.Password != sourcePassword {
		c.t.Error("the new password was not kept")
	}
	c.call("GET", one, nil, 200, &read)
	before := read
	before.ReplicationSlots = []slotResource{read.ReplicationSlots[0]}
	read.ReplicationSlots[0].ID = ""
	var after databaseResource
	c.call("PUT", one, read, 200, &after)
	if fmt.Sprintf("%+v", after) != fmt.Sprintf("%+v", before) {
		c.t.Errorf("sent back as it was read it became %+v", after)
	}
}

func TestATerraformLikeSequence(t *testing.T) {
	t.Parallel()
	for name, serve := range served(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &client{t, serve(t), "acme"}
			payload := source(t, "orders")
			configuration := resource(t, payload)
			var state, read databaseResource
			c.call("POST", collection, configuration, 201, &state)
			c.call("GET", collection+"/"+state.ID, nil, 200, &read)
			if fmt.Sprintf("%+v", read) != fmt.Sprintf("%+v", state) {
				t.Errorf("the plan has a difference: %+v, %+v", read, state)
			}
			slot := "terraform_" + payload["username"].(string)
			execute(t, payload["database"].(string), "SELECT pg_create_logical_replication_slot('"+slot+"', 'pgoutput')")
			execute(t, "postgres", "ALTER ROLE "+configuration.Username+" PASSWORD 'rotated'")
			configuration.ReplicationSlots = []slotResource{{PublicationName: "pub", SlotName: slot}}
			configuration.Password = "rotated"
			c.call("PUT", collection+"/"+state.ID, configuration, 200, &state)
			c.call("GET", collection+"/"+state.ID+"?show_sensitive=true", nil, 200, &read)
			if read.Password != "rotated" || read.ReplicationSlots[0].SlotName != slot || read.ReplicationSlots[0].ID != state.ReplicationSlots[0].ID {
				t.Errorf("after the change: %+v", read.ReplicationSlots)
			}
			c.call("DELETE", collection+"/"+state.ID, nil, 200, nil)
			c.call("DELETE", collection+"/"+state.ID, nil, 404, nil)
		})
	}
}

func TestTwoAccountsNeverMeet(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	mine, theirs := &client{t, g, "acme"}, &client{t, g, "globex"}
	payload := source(t, "orders")
	var first, second databaseResource
	mine.call("POST", collection, payload, 201, &first)
	theirs.call("POST", collection, payload, 201, &second)
	mine.call("PATCH", collection+"/orders", map[string]any{"name": "mine"}, 200, nil)
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
		t.Errorf("their list: %+v", list.Data)
	}
}

func TestAHundredRequestsWithOneIdempotencyKey(t *testing.T) {
	t.Parallel()
	for name, serve := range served(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := serve(t)
			body, err := json.Marshal(source(t, "orders"))
			if err != nil {
				t.Fatal(err)
			}
			header := map[string]string{"Content-Type": "application/json", "Idempotency-Key": "once"}
			var mu sync.Mutex
			ids := map[string]int{}
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					got := a.do(t, "acme", http.MethodPost, collection, header, body)
					var out struct{ ID, Code string }
					if err := json.Unmarshal(got.body, &out); err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					switch {
					case got.status == 201:
						ids[out.ID]++
					case got.status != 409 || out.Code != "request_in_progress":
						t.Errorf("%d %s", got.status, got.body)
					}
				})
			}
			wg.Wait()
			if len(ids) != 1 {
				t.Errorf("IDs %v, want one", ids)
			}
		})
	}
}
