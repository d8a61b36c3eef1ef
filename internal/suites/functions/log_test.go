package functions_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/catalog"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/httpapi"
	"github.com/headgate/headgate/internal/testkit/faultwire"
	"github.com/headgate/headgate/internal/testkit/gateway"
	"github.com/headgate/headgate/internal/testkit/runtimeapi"
	"github.com/headgate/headgate/internal/vault"
)

// logLine waits for the one line of a function's log that has this message.
func logLine(t *testing.T, f *runtimeapi.Function, message string) map[string]any {
	t.Helper()
	var found []map[string]any
	eventually(t, 10*time.Second, "the log line "+message, func() bool {
		found = nil
		for text := range strings.Lines(f.Logs()) {
			var members map[string]any
			if json.Unmarshal([]byte(text), &members) == nil && members["message"] == message {
				found = append(found, members)
			}
		}
		return len(found) > 0
	})
	if len(found) != 1 {
		t.Fatalf("%d lines in %s", len(found), f.Logs())
	}
	return found[0]
}

// wantMetrics fails the test unless a line has the metrics of one created database
// in the namespace of the stack prod.
func wantMetrics(t *testing.T, line map[string]any) {
	t.Helper()
	metrics := encode(t, line["_aws"])
	if strings.Count(string(metrics), `"Namespace":"headgate/prod"`) != 2 || line["created"] != 1.0 {
		t.Errorf("metrics %s", metrics)
	}
}

func TestLog_Retries(t *testing.T) {
	t.Parallel()
	t.Run("repeated calls of a store are counted in the line of the request", func(t *testing.T) {
		t.Parallel()
		s, wire := newStack(t), faultwire.New(t)
		config := wire.Config(machine.AWS.URL())
		var out bytes.Buffer
		log := slog.New(slog.NewJSONHandler(&out, nil))
		service := &database.Service{
			Catalog: catalog.Open(config, s.Table), Vault: vault.Open(config, vault.Config{Prefix: s.Prefix, Table: s.Table}),
			Now: time.Now, Log: log,
		}
		h := httpapi.Handler{Log: log, Now: time.Now, Endpoints: httpapi.Databases{Service: service}.Endpoints()}
		_, event, err := gateway.Event(gateway.Request{Account: "acme", Method: http.MethodGet, Target: orders})
		if err != nil {
			t.Fatal(err)
		}
		wire.Script("GetItem", faultwire.LoseAnswer, faultwire.LoseRequest, faultwire.Pass)
		got, err := h.Handle(t.Context(), event)
		if err != nil || got.StatusCode != http.StatusNotFound {
			t.Fatalf("%d %s (%v)", got.StatusCode, got.Body, err)
		}
		var line struct{ Retries int }
		if decode(t, out.Bytes(), &line); line.Retries != 2 {
			t.Errorf("retries %d, want 2: %s", line.Retries, out.String())
		}
	})
}

func TestLog_Functions(t *testing.T) {
	t.Parallel()
	t.Run("a request has one line with its ID, the database's and the stack's metrics", func(t *testing.T) {
		t.Parallel()
		f := newFunctions(t)
		f.env = append(f.env, "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/prod/create-database")
		name, event, err := gateway.Event(gateway.Request{
			Account: "acme", Method: http.MethodPost, Target: collection, Body: encode(t, newSource(t, "orders")),
		})
		if err != nil {
			t.Fatal(err)
		}
		event.RequestContext.Authorizer["key_id"] = "0123456789abcdef"
		got := f.send(t, f.function(name), event)
		var object database.Object
		if decode(t, got.body, &object); got.status != http.StatusCreated {
			t.Fatalf("%d %s", got.status, got.body)
		}
		line := logLine(t, f.function(name), "request")
		if line["request_id"] != got.header.Get("X-Request-Id") || line["database"] != object.ID || line["key_id"] != "0123456789abcdef" {
			t.Errorf("line %v", line)
		}
		wantMetrics(t, line)
	})
	t.Run("an event has one line with its ID, the database's and the stack's metrics", func(t *testing.T) {
		t.Parallel()
		s, _ := newProvisioning(t)
		s.env = append(s.env, "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/prod/provision-database")
		f := s.function("provision-database")
		if err := invoke(t, f, requestEvent("event-1", s.newDetail(newSource(t, "orders"))), new(any)); err != nil {
			t.Fatal(err)
		}
		line := logLine(t, f, "event")
		_, items := s.contents()
		id, _ := line["database"].(string)
		if line["request_id"] != "event-1" || line["outcome"] != "created" || id == "" || !strings.Contains(items, id) {
			t.Errorf("line %v", line)
		}
		wantMetrics(t, line)
	})
}
