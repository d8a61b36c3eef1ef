package httpapi_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/httpapi"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

// passing is a prober whose targets all pass, with these findings. The real
// prober is tested in its own package and in internal/suites/functions.
type passing struct{ findings check.Report }

func (p passing) Probe(context.Context, database.Target) database.Examination {
	return database.Examination{Report: append(check.Report{{Name: check.Address, Status: check.Passed}}, p.findings...)}
}

// dropper drops everything. What it could make, exists.
type dropper struct{ refused check.Report }

func (dropper) Make(context.Context, database.Target, database.Making) (database.Making, check.Report) {
	return database.Making{}, nil
}

func (d dropper) Drop(_ context.Context, _ database.Target, _ database.Source, m database.Making) (database.Making, check.Report) {
	return m, d.refused
}

func (dropper) DropStatements(t database.Target) string { return "DROP " + t.Slot.SlotName }

func (p passing) RefreshTables(context.Context, database.Target, func(database.Table) bool) database.Examination {
	return database.Examination{Report: p.findings}
}

// service returns the real service on a new local store.
func service(t *testing.T, p database.Prober) *database.Service {
	t.Helper()
	store := storetest.OpenLocal(t)
	return &database.Service{Catalog: store.Catalog(), Vault: store.Vault(), Prober: p, Maker: dropper{}, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

func creating(t *testing.T) httpapi.Endpoint {
	t.Helper()
	return httpapi.Databases{Service: service(t, passing{})}.Create
}

func failing(err error) httpapi.Endpoint {
	return func(context.Context, *httpapi.Request) (httpapi.Response, error) { return httpapi.Response{}, err }
}

func now() time.Time { return time.Unix(1_700_000_000, 0) }

func handle(t *testing.T, endpoint httpapi.Endpoint, e events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, string) {
	t.Helper()
	var log bytes.Buffer
	h := httpapi.Handler{
		Endpoints: map[httpapi.Operation]httpapi.Endpoint{httpapi.CreateDatabase: endpoint},
		Log:       slog.New(slog.NewJSONHandler(&log, nil)), Now: now,
	}
	answer, err := h.Handle(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return answer, log.String()
}

const payload = `{"name":"n","hostname":"h","database":"d","username":"u","password":"secret-word",
	"replication_slots":[{"publication_name":"p","slot_name":"s"}]}`

func event(change func(*events.APIGatewayProxyRequest)) events.APIGatewayProxyRequest {
	e := events.APIGatewayProxyRequest{
		Resource: "/api/postgres_databases", Path: "/api/postgres_databases", HTTPMethod: http.MethodPost,
		Headers: map[string]string{"Content-Type": "application/json"}, Body: payload,
	}
	e.RequestContext.RequestID = "request-1"
	e.RequestContext.Authorizer = map[string]any{"account_id": "acme"}
	change(&e)
	return e
}

func TestHandle_Refusals(t *testing.T) {
	t.Parallel()
	authorizer := func(context map[string]any) func(*events.APIGatewayProxyRequest) {
		return func(e *events.APIGatewayProxyRequest) { e.RequestContext.Authorizer = context }
	}
	tests := []struct {
		name   string
		change func(*events.APIGatewayProxyRequest)
		status int
		says   string
	}{
		{"no authorizer context", authorizer(nil), 401, "API key"},
		{"an account of another type", authorizer(map[string]any{"account_id": 7}), 401, "API key"},
		{"an invalid account", authorizer(map[string]any{"account_id": "a/b"}), 401, "API key"},
		{"an expired key", authorizer(map[string]any{"account_id": "acme", "expires_at": "1700000000"}), 401, "API key"},
		{"an invalid expiry", authorizer(map[string]any{"account_id": "acme", "expires_at": "soon"}), 401, "API key"},
		{"an account in the headers only", func(e *events.APIGatewayProxyRequest) {
			e.RequestContext.Authorizer, e.Headers["account_id"] = nil, "acme"
		}, 401, "API key"},
		{"an unknown path", func(e *events.APIGatewayProxyRequest) {
			e.Resource, e.Path = "/{proxy+}", "/api/nope"
			e.PathParameters = map[string]string{"proxy": "api/nope"}
		}, 404, "no such route"},
		{"another method", func(e *events.APIGatewayProxyRequest) { e.HTTPMethod = "TRACE" }, 405, "POST"},
		{"a body over 64 KiB", func(e *events.APIGatewayProxyRequest) { e.Body = strings.Repeat(" ", 65537) }, 413, "64 KiB"},
		{"a base64 body over 64 KiB", func(e *events.APIGatewayProxyRequest) {
			e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte(" "), 65537)), true
		}, 413, "64 KiB"},
		{"a form's content type", func(e *events.APIGatewayProxyRequest) {
			e.Headers = map[string]string{"content-type": "application/x-www-form-urlencoded"}
		}, 415, "application/json"},
		{"JSON in another charset", func(e *events.APIGatewayProxyRequest) {
			e.Headers = map[string]string{"CONTENT-TYPE": "application/json; charset=latin1"}
		}, 415, "application/json"},
		{"a body that is not JSON", func(e *events.APIGatewayProxyRequest) { e.Body = "{" }, 400, "ends before"},
		{"invalid base64", func(e *events.APIGatewayProxyRequest) { e.IsBase64Encoded, e.Body = true, "!" }, 400, "base64"},
		{"an invalid payload", func(e *events.APIGatewayProxyRequest) { e.Body = "{}" }, 422, "name is required"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			answer, _ := handle(t, creating(t), event(tt.change))
			var body struct{ Summary string }
			if err := json.Unmarshal([]byte(answer.Body), &body); err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode != tt.status || !strings.Contains(body.Summary, tt.says) {
				t.Errorf("%d %s, want %d with %q", answer.StatusCode, answer.Body, tt.status, tt.says)
			}
			if answer.Headers["X-Request-Id"] != "request-1" || answer.Headers["Cache-Control"] != "no-store" || answer.Headers["Content-Type"] != "application/json" {
				t.Errorf("headers %v", answer.Headers)
			}
			if tt.status == 405 && answer.Headers["Allow"] == "" {
				t.Error("no Allow")
			}
		})
	}
}

func TestHandle_Accepts(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*events.APIGatewayProxyRequest){
		"a plain request": func(*events.APIGatewayProxyRequest) {},
		"no content type": func(e *events.APIGatewayProxyRequest) { e.Headers = nil },
		"a content type in lower case": func(e *events.APIGatewayProxyRequest) {
			e.Headers = map[string]string{"content-type": "application/json"}
		},
		"JSON with its charset":          func(e *events.APIGatewayProxyRequest) { e.Headers["Content-Type"] = "application/json; charset=UTF-8" },
		"a key that expires in a second": func(e *events.APIGatewayProxyRequest) { e.RequestContext.Authorizer["expires_at"] = "1700000001" },
		"an expiry that is a number":     func(e *events.APIGatewayProxyRequest) { e.RequestContext.Authorizer["expires_at"] = 1.8e9 },
		"an event without its resource":  func(e *events.APIGatewayProxyRequest) { e.Resource = "" },
		"a base path before the path":    func(e *events.APIGatewayProxyRequest) { e.Path = "/base/api/postgres_databases" },
		"multi-value headers": func(e *events.APIGatewayProxyRequest) {
			e.Headers, e.MultiValueHeaders = nil, map[string][]string{"content-Type": {"application/json"}}
		},
		"a body in base64": func(e *events.APIGatewayProxyRequest) {
			e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(payload)), true
		},
		"a body of 64 KiB": func(e *events.APIGatewayProxyRequest) { e.Body = payload + strings.Repeat(" ", 65536-len(payload)) },
		"a base64 body of 64 KiB": func(e *events.APIGatewayProxyRequest) {
			e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(payload+strings.Repeat(" ", 65536-len(payload)))), true
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer, log := handle(t, creating(t), event(change))
			if answer.StatusCode != http.StatusCreated || strings.Contains(answer.Body+log, "secret-word") {
				t.Errorf("%d %s", answer.StatusCode, answer.Body)
			}
		})
	}
}

func TestCreate_QueryParameters(t *testing.T) {
	t.Parallel()
	query := func(single map[string]string, multi map[string][]string) func(*events.APIGatewayProxyRequest) {
		return func(e *events.APIGatewayProxyRequest) {
			e.QueryStringParameters, e.MultiValueQueryStringParameters = single, multi
		}
	}
	tests := []struct {
		name   string
		change func(*events.APIGatewayProxyRequest)
		status int
		field  string
		shown  bool
	}{
		{"show_sensitive=true", query(map[string]string{"show_sensitive": "true"}, nil), 201, "", true},
		{"show_sensitive=true as a multi-value parameter", query(nil, map[string][]string{"show_sensitive": {"true"}}), 201, "", true},
		{"show_sensitive=false", query(map[string]string{"show_sensitive": "false"}, nil), 201, "", false},
		{"show_sensitive=1", query(map[string]string{"show_sensitive": "1"}, nil), 422, "show_sensitive", false},
		{"show_sensitive given twice", query(nil, map[string][]string{"show_sensitive": {"true", "false"}}), 422, "show_sensitive", false},
		{"dry_run=yes", query(map[string]string{"dry_run": "yes"}, nil), 422, "dry_run", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			answer, _ := handle(t, creating(t), event(tt.change))
			var body struct {
				Password string
				Fields   map[string][]string `json:"validation_errors"`
			}
			if err := json.Unmarshal([]byte(answer.Body), &body); err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode != tt.status || (body.Password == "secret-word") != tt.shown || tt.field != "" && len(body.Fields[tt.field]) != 1 {
				t.Errorf("%d %s", answer.StatusCode, answer.Body)
			}
		})
	}
}

func TestCreate_InvalidQueryAndBody(t *testing.T) {
	t.Parallel()
	answer, _ := handle(t, creating(t), event(func(e *events.APIGatewayProxyRequest) {
		e.Body = `{}`
		e.QueryStringParameters = map[string]string{"dry_run": "x"}
	}))
	for _, field := range []string{`"dry_run"`, `"name"`, `"replication_slots"`} {
		if !strings.Contains(answer.Body, field) {
			t.Errorf("%s is not in %s", field, answer.Body)
		}
	}
}

func TestHandle_ErrorKinds(t *testing.T) {
	t.Parallel()
	cause := errors.New("the inside")
	checks := check.Report{{Name: "tls", Status: check.Failed, Code: "tls_failed", Message: "m", Fix: "f"}}
	tests := []struct {
		name       string
		err        error
		method     string
		status     int
		body       string
		retryAfter string
	}{
		{"throttled", apierror.New(apierror.Throttled, "s", cause), "POST", 429, `{"summary":"too many requests at the moment: nothing was changed`, "1"},
		{"a throttled read", apierror.New(apierror.Throttled, "s", cause), "GET", 429, `{"summary":"too many requests at the moment: nothing was changed`, "1"},
		{"unavailable", apierror.New(apierror.Unavailable, "s", cause), "GET", 503, `{"summary":"a store is unavailable at the moment: nothing was changed`, "5"},
		{"unknown outcome of a create", apierror.New(apierror.UnknownOutcome, "s", cause), "POST", 504, `{"summary":"the store did not answer in time: whether the database was registered is unknown; a retry with the same Idempotency-Key`, ""},
		{"unknown outcome of an update", apierror.New(apierror.UnknownOutcome, "s", cause), "PATCH", 504, `{"summary":"the store did not answer in time: whether the database was changed is unknown; read it`, ""},
		{"unknown outcome of a read", apierror.New(apierror.UnknownOutcome, "s", cause), "GET", 504, `{"summary":"the store did not answer in time: try again later"}`, ""},
		{"a defect", apierror.New(apierror.Internal, "s", cause), "POST", 500, `{"summary":"something went wrong`, ""},
		{"an error without a kind", cause, "POST", 500, `{"summary":"something went wrong`, ""},
		{
			"a name that is taken", &apierror.Error{Kind: apierror.Invalid, Code: "name_taken", Summary: "s", Fields: apierror.FieldErrors{"name": {"m"}}},
			"POST", 422, `{"summary":"s","code":"name_taken","validation_errors":{"name":["m"]}}`, "",
		},
		{
			"a failed check", &apierror.Error{Kind: apierror.Invalid, Code: "tls_failed", Summary: "s", Checks: checks},
			"POST", 422, `{"summary":"s","code":"tls_failed","validation_errors":{},"checks":[{"name":"tls","status":"failed","code":"tls_failed","message":"m","fix":"f"}]}`, "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			endpoint := failing(tt.err)
			h := httpapi.Handler{
				Endpoints: map[httpapi.Operation]httpapi.Endpoint{
					httpapi.CreateDatabase: endpoint, httpapi.GetDatabase: endpoint, httpapi.UpdateDatabase: endpoint,
				},
				Log: slog.New(slog.DiscardHandler), Now: now,
			}
			answer, err := h.Handle(t.Context(), event(func(e *events.APIGatewayProxyRequest) {
				if e.HTTPMethod = tt.method; tt.method != http.MethodPost {
					e.Resource, e.Path = "/api/postgres_databases/{id_or_name}", "/api/postgres_databases/n"
				}
			}))
			if err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode != tt.status || !strings.HasPrefix(answer.Body, tt.body) {
				t.Errorf("%d %s, want %d %s", answer.StatusCode, answer.Body, tt.status, tt.body)
			}
			if answer.Headers["Retry-After"] != tt.retryAfter || strings.Contains(answer.Body, "inside") {
				t.Errorf("headers %v, body %s", answer.Headers, answer.Body)
			}
		})
	}
}

func TestHandle_Panic(t *testing.T) {
	t.Parallel()
	answer, log := handle(t, func(context.Context, *httpapi.Request) (httpapi.Response, error) {
		panic("secret-word")
	}, event(func(*events.APIGatewayProxyRequest) {}))
	if answer.StatusCode != 500 || strings.Contains(answer.Body+log, "secret-word") {
		t.Errorf("%d %s", answer.StatusCode, answer.Body)
	}
}

func TestHandle_Budget(t *testing.T) {
	t.Parallel()
	var left time.Duration
	handle(t, func(ctx context.Context, _ *httpapi.Request) (httpapi.Response, error) {
		deadline, ok := ctx.Deadline()
		if !ok {
			t.Error("no deadline")
		}
		left = time.Until(deadline)
		return httpapi.Response{Status: http.StatusOK}, nil
	}, event(func(*events.APIGatewayProxyRequest) {}))
	if left <= 0 || left > database.Budget {
		t.Errorf("%s left, want at most %s", left, database.Budget)
	}
}

func TestCreate_Object(t *testing.T) {
	t.Parallel()
	warning := check.Entry{Name: "tables", Status: check.Warned, Code: "c", Message: "m > n"}
	answer, _ := handle(t, httpapi.Databases{Service: service(t, passing{check.Report{warning}})}.Create, event(func(e *events.APIGatewayProxyRequest) {
		e.Body = `{"name":"n","hostname":"h","database":"d","username":"u","password":"w","ssl_mode":"verify-full",
			"primary":{"hostname":"ph","database":"d","username":"pu","password":"pw"},
			"replication_slots":[{"publication_name":"p","slot_name":"s"}]}`
	}))
	want := `{"id":"id-1","name":"n","hostname":"h","port":5432,"database":"d","username":"u","password":"************",` +
		`"ssl":true,"ipv6":false,"ssl_mode":"verify-full","use_local_tunnel":false,"pool_size":10,"queue_interval":1000,"queue_target":50,` +
		`"replication_slots":[{"id":"slot-1","publication_name":"p","slot_name":"s","status":"active"}],` +
		`"primary":{"hostname":"ph","port":5432,"database":"d","username":"pu","ssl":true,"ipv6":false},` +
		`"warnings":[{"name":"tables","code":"c","message":"m > n"}]}`
	ids := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
	made := ids.FindAllString(answer.Body, -1)
	if len(made) != 2 {
		t.Fatalf("IDs %v", made)
	}
	got := strings.NewReplacer(made[0], "id-1", made[1], "slot-1").Replace(strings.TrimSpace(answer.Body))
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if answer.Headers["Location"] != "/api/postgres_databases/"+made[0] {
		t.Errorf("Location %q", answer.Headers["Location"])
	}
}
