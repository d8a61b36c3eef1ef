package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/httpapi"
)

// logged is what one request leaves in the log, and its response.
type logged struct {
	line   map[string]any
	answer events.APIGatewayProxyResponse
}

// serve sends e to h, which must log exactly one line.
func serve(t *testing.T, h httpapi.Handler, e events.APIGatewayProxyRequest) logged {
	t.Helper()
	var out bytes.Buffer
	h.Log, h.Now = slog.New(slog.NewJSONHandler(&out, nil)), now
	answer, err := h.Handle(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Fatalf("%d lines: %s", n, out.String())
	}
	l := logged{answer: answer}
	if err := json.Unmarshal(out.Bytes(), &l.line); err != nil {
		t.Fatal(err)
	}
	return l
}

// has compares members of the line; nil means that the member is absent.
func (l logged) has(t *testing.T, want map[string]any) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !reflect.DeepEqual(l.line[name], want[name]) {
			t.Errorf("%s is %v, want %v", name, l.line[name], want[name])
		}
	}
}

// request returns the gateway's event of a request about databases/<ref>.
func request(method, ref string) events.APIGatewayProxyRequest {
	return event(func(e *events.APIGatewayProxyRequest) {
		e.HTTPMethod, e.Body = method, ""
		e.Resource, e.Path = "/api/postgres_databases/{id_or_name}", "/api/postgres_databases/"+ref
		e.RequestContext.Authorizer["key_id"] = "0123456789abcdef"
	})
}

func TestHandle_Log(t *testing.T) {
	t.Parallel()
	finding := check.Entry{Name: check.Tables, Status: check.Warned, Code: check.TablesUnreadable, Message: "m"}
	s := service(t, passing{check.Report{finding}})
	h := httpapi.Handler{Endpoints: httpapi.Databases{Service: s}.Endpoints(), Namespace: "headgate/test"}
	created := serve(t, h, event(func(*events.APIGatewayProxyRequest) {}))
	var d database.Object
	if err := json.Unmarshal([]byte(created.answer.Body), &d); err != nil || created.answer.StatusCode != 201 {
		t.Fatalf("%d %s", created.answer.StatusCode, created.answer.Body)
	}
	created.has(t, map[string]any{
		"msg": "request", "level": "INFO", "status": 201.0, "route": "POST /api/postgres_databases", "operation": "create-database",
		"account": "acme", "database": d.ID, "checks": []any{"tables_unreadable"}, "created": 1.0, "code": nil, "retries": 0.0,
		"request_id": "request-1", "key_id": nil,
	})
	if id := created.answer.Headers["X-Request-Id"]; id != created.line["request_id"] {
		t.Errorf("X-Request-Id %q, the line has %v", id, created.line["request_id"])
	}

	sensitive := request("GET", "n")
	sensitive.QueryStringParameters = map[string]string{"show_sensitive": "true"}
	invalid := request("PATCH", d.ID)
	invalid.Body = `{"port":0.5}`
	again := event(func(*events.APIGatewayProxyRequest) {})
	stranger := request("GET", "n")
	stranger.RequestContext.Authorizer = nil
	tests := []struct {
		name  string
		event events.APIGatewayProxyRequest
		want  map[string]any
	}{
		{"a read by name has the ID", request("GET", "n"), map[string]any{
			"status": 200.0, "database": d.ID, "key_id": "0123456789abcdef", "route": "GET /api/postgres_databases/{id_or_name}", "passwords_shown": nil,
		}},
		{"a password that is shown", sensitive, map[string]any{"status": 200.0, "passwords_shown": []any{d.ID}}},
		{"an invalid update", invalid, map[string]any{"status": 422.0, "code": "invalid_payload", "refused": 1.0, "level": "INFO"}},
		{"a name that is taken", again, map[string]any{"status": 422.0, "code": "name_taken"}},
		{"an unknown database", request("GET", "other"), map[string]any{"status": 404.0, "database": nil, "code": nil, "refused": nil}},
		{"another method", request("TRACE", "n"), map[string]any{"status": 405.0, "route": nil, "operation": nil, "_aws": nil}},
		{"no key", stranger, map[string]any{"status": 401.0, "account": nil, "key_id": nil, "request_id": "request-1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			serve(t, h, tt.event).has(t, tt.want)
		})
	}
}

func TestHandle_Log_Failures(t *testing.T) {
	t.Parallel()
	body := func(v any) httpapi.Endpoint {
		return func(context.Context, *httpapi.Request) (httpapi.Response, error) {
			return httpapi.Response{Status: http.StatusOK, Body: v}, nil
		}
	}
	tests := []struct {
		name     string
		endpoint httpapi.Endpoint
		want     map[string]any
	}{
		{"a store that is away", failing(apierror.New(apierror.Unavailable, "s", errors.New("why"))), map[string]any{
			"level": "ERROR", "status": 503.0, "error": "s: why",
		}},
		{"a conflict", failing(&apierror.Error{Kind: apierror.Conflict, Code: apierror.RequestInProgress}), map[string]any{
			"level": "INFO", "status": 409.0, "code": "request_in_progress", "error": nil,
		}},
		{"a failed check", failing(&apierror.Error{Kind: apierror.Invalid, Code: "c", Checks: check.Report{
			{Name: "a", Status: check.Warned, Code: "w"},
			{Name: "b", Status: check.Failed, Code: "c"},
			{Name: "d", Status: check.Passed},
		}}), map[string]any{"status": 422.0, "code": "c", "checks": []any{"w", "c"}}},
		{"a body that can't be encoded", body(func() {}), map[string]any{"level": "ERROR", "status": 500.0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := serve(t, httpapi.Handler{Endpoints: map[httpapi.Operation]httpapi.Endpoint{httpapi.CreateDatabase: tt.endpoint}},
				event(func(*events.APIGatewayProxyRequest) {}))
			l.has(t, tt.want)
			if l.line["status"] != float64(l.answer.StatusCode) {
				t.Errorf("the line has the status %v, the response %d", l.line["status"], l.answer.StatusCode)
			}
		})
	}
}
