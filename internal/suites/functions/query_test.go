package functions_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestRequests_TrailingSlash(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, api api) {
		c := &client{t, api, "acme"}
		var made, read databaseResource
		created := c.call("POST", collection+"/", newSource(t, "orders"), http.StatusCreated, &made)
		if location := created.header.Get("Location"); !strings.HasSuffix(location, collection+"/"+made.ID) {
			t.Errorf("Location %q, want that of %s", location, made.ID)
		}
		c.call("GET", orders+"/", nil, http.StatusOK, &read)
		if read.ID != made.ID {
			t.Errorf("read %+v, want %s", read, made.ID)
		}
		c.call("GET", collection+"/", nil, http.StatusOK, nil)
		c.call("POST", orders+"/test_connection/", nil, http.StatusOK, nil)
		c.call("POST", orders+"/refresh_tables/", nil, http.StatusOK, nil)
		c.call("GET", "/api/openapi.json/", nil, http.StatusOK, nil)
		c.call("DELETE", orders+"/", nil, http.StatusOK, nil)
	})
}

func TestRequests_UnknownQueryParameter(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, api api) {
		c := &client{t, api, "acme"}
		var made, read databaseResource
		c.call("POST", collection, newSource(t, "orders"), http.StatusCreated, &made)
		rename := map[string]any{"name": "renamed"}
		for _, tt := range []struct {
			method, target string
			body           any
			says           string
		}{
			{"DELETE", orders + "?dry_run=true", nil, `"dry_run":["is not a query parameter of this route"]`},
			{"PATCH", orders + "?verfy=false", rename, `"verfy":["is not a known query parameter; the nearest is \"verify\""]`},
			{"POST", orders + "/test_connection?show_sensitive=true", nil, `"show_sensitive":["is not a query parameter of this route"]`},
			{"GET", "/api/openapi.json?colour=red", nil, `"colour":["is not a known query parameter"]`},
		} {
			if got := c.call(tt.method, tt.target, tt.body, http.StatusUnprocessableEntity, nil); !strings.Contains(string(got.body), tt.says) {
				t.Errorf("%s %s: %s, want %s", tt.method, tt.target, got.body, tt.says)
			}
		}
		c.call("GET", orders, nil, http.StatusOK, &read)
		if read.ID != made.ID || read.Name != made.Name {
			t.Errorf("after the rejected requests %+v, want %+v", read, made)
		}
	})
}
