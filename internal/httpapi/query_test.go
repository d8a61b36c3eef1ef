package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/httpapi"
)

// counting is a prober that counts its calls.
type counting struct {
	passing
	calls *atomic.Int32
}

func (c counting) Probe(ctx context.Context, t database.Target) database.Examination {
	c.calls.Add(1)
	return c.passing.Probe(ctx, t)
}

func (c counting) RefreshTables(ctx context.Context, t database.Target, add func(database.Table) bool) database.Examination {
	c.calls.Add(1)
	return c.passing.RefreshTables(ctx, t, add)
}

// registered returns a handler of all routes whose store has one database, n, and
// the count of looks at targets since.
func registered(t *testing.T) (httpapi.Handler, *atomic.Int32) {
	t.Helper()
	calls := &atomic.Int32{}
	endpoints := httpapi.Databases{Service: service(t, counting{calls: calls})}.Endpoints()
	endpoints[httpapi.DescribeAPI] = httpapi.Describe("https")
	h := httpapi.Handler{Endpoints: endpoints}
	if created := serve(t, h, event(func(*events.APIGatewayProxyRequest) {})); created.answer.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", created.answer.StatusCode, created.answer.Body)
	}
	calls.Store(0)
	return h, calls
}

// to returns a valid request to a route about the database n, or for an update of
// its name.
func to(r httpapi.Route) events.APIGatewayProxyRequest {
	return event(func(e *events.APIGatewayProxyRequest) {
		e.HTTPMethod, e.Resource = r.Method, r.Path
		e.Path = strings.ReplaceAll(r.Path, "{id_or_name}", "n")
		switch r.Operation {
		case httpapi.CreateDatabase:
			e.Body = strings.Replace(payload, `"n"`, `"another"`, 1)
		case httpapi.UpdateDatabase:
			e.Body = `{"name":"renamed"}`
		default:
			e.Body = ""
		}
	})
}

// names returns every query parameter of the API.
func names() []string {
	var all []string
	for _, r := range httpapi.Routes() {
		all = append(all, r.Query...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestHandle_UnknownQueryParameter(t *testing.T) {
	t.Parallel()
	for _, r := range httpapi.Routes() {
		t.Run(r.Method+" "+r.Path, func(t *testing.T) {
			t.Parallel()
			h, calls := registered(t)
			list := to(httpapi.Routes()[1])
			before := serve(t, h, list).answer.Body
			want := map[string]string{"colour": "is not a known query parameter", "": "is not a known query parameter"}
			for _, name := range names() {
				if !slices.Contains(r.Query, name) {
					want[name] = "is not a query parameter of this route"
					want[strings.ToUpper(name)] = `is not a known query parameter; the nearest is "` + name + `", which this route does not take`
				} else {
					want[name[:len(name)-2]] = `is not a known query parameter; the nearest is "` + name + `"`
				}
			}
			for name, message := range want {
				for _, multi := range []bool{false, true} {
					e := to(r)
					if multi {
						e.MultiValueQueryStringParameters = map[string][]string{name: {"true"}}
					} else {
						e.QueryStringParameters = map[string]string{name: "true"}
					}
					l := serve(t, h, e)
					var body struct {
						Code   string
						Fields map[string][]string `json:"validation_errors"`
					}
					if err := json.Unmarshal([]byte(l.answer.Body), &body); err != nil {
						t.Fatal(err)
					}
					if l.answer.StatusCode != http.StatusUnprocessableEntity || body.Code != "invalid_payload" ||
						len(body.Fields) != 1 || !slices.Equal(body.Fields[name], []string{message}) {
						t.Errorf("%s: %d %s, want %q", name, l.answer.StatusCode, l.answer.Body, message)
					}
					if strings.Contains(l.answer.Body, "  ") {
						t.Errorf("%s: %s", name, l.answer.Body)
					}
				}
			}
			if after := serve(t, h, list).answer.Body; after != before || calls.Load() != 0 {
				t.Errorf("%d looks at the target; the list was %s, is %s", calls.Load(), before, after)
			}
		})
	}
}

func TestHandle_QueryBeforeDatabase(t *testing.T) {
	t.Parallel()
	for _, r := range httpapi.Routes() {
		if !strings.Contains(r.Path, "{id_or_name}") {
			continue
		}
		for _, raw := range []string{"x=1", "x;y", "x=%zz", "=1"} {
			h, _ := registered(t)
			e := to(r)
			e.Path = strings.Replace(e.Path, "/n", "/nope", 1)
			e.MultiValueQueryStringParameters = httpapi.ParseQuery(raw)
			if got := serve(t, h, e); got.answer.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("%s %s?%s: %d %s", r.Method, r.Path, raw, got.answer.StatusCode, got.answer.Body)
			}
		}
	}
}

// TestHandle_MalformedQuery has queries of which a part can't be decoded. Each of them
// makes a request invalid, and nothing is done.
func TestHandle_MalformedQuery(t *testing.T) {
	t.Parallel()
	for _, r := range httpapi.Routes() {
		h, calls := registered(t)
		list := to(httpapi.Routes()[1])
		before := serve(t, h, list).answer.Body
		queries := []string{"x;y", "%zz", "a=%zz", "=%", "%=1", "a=1;b=2", ";", "%3B", "dry_run%zz=true"}
		for _, name := range r.Query {
			queries = append(queries, name+"=true;x", name+"=%zz", name+"=true%", name+"=true;"+name+"=false", name+"=1&x;y")
		}
		for _, raw := range queries {
			e := to(r)
			e.MultiValueQueryStringParameters = httpapi.ParseQuery(raw)
			if got := serve(t, h, e); got.answer.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("%s %s?%s: %d %s", r.Method, r.Path, raw, got.answer.StatusCode, got.answer.Body)
			}
		}
		if after := serve(t, h, list).answer.Body; after != before || calls.Load() != 0 {
			t.Errorf("%s %s: %d looks at the target; the list was %s, is %s", r.Method, r.Path, calls.Load(), before, after)
		}
	}
}

func TestParseQuery(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]map[string][]string{
		"":                        {},
		"&&":                      {},
		"a=1&b=2&a=3":             {"a": {"1", "3"}, "b": {"2"}},
		"a":                       {"a": {""}},
		"=1":                      {"": {"1"}},
		"a=x%20y+z&%61=%3d&b=c=d": {"a": {"x y z", "="}, "b": {"c=d"}},
		"a=true;x":                {"a": {"true;x"}},
		"a=%zz&b=%":               {"a": {"%zz"}, "b": {"%"}},
		"%zz=1":                   {"%zz": {"1"}},
	} {
		if got := httpapi.ParseQuery(raw); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

func TestHandle_Limit(t *testing.T) {
	t.Parallel()
	h, _ := registered(t)
	for limit, want := range map[string]int{"1": 200, "1000": 200, "0": 422, "1001": 422, "+1": 422, "01": 422, "-1": 422, "1.0": 422, " 1": 422, "": 422} {
		e := to(httpapi.Routes()[1])
		e.QueryStringParameters = map[string]string{"limit": limit}
		if got := serve(t, h, e); got.answer.StatusCode != want {
			t.Errorf("limit %q: %d %s", limit, got.answer.StatusCode, got.answer.Body)
		}
	}
	e := to(httpapi.Routes()[1])
	e.QueryStringParameters = map[string]string{"limit": "0", "cursor": "made-up", "include": "all"}
	for _, name := range []string{"limit", "cursor", "include"} {
		if got := serve(t, h, e); !strings.Contains(got.answer.Body, `"`+name+`":[`) {
			t.Errorf("%s is not reported in %s", name, got.answer.Body)
		}
	}
}

// TestHandle_Bodies sends bodies to every route.
func TestHandle_Bodies(t *testing.T) {
	t.Parallel()
	for _, r := range httpapi.Routes() {
		h, _ := registered(t)
		for _, tt := range []struct {
			body, contentType string
			refused           int
			withBody          int
		}{
			{"", "application/json", 0, 400},
			{"", "text/plain", 0, 415},
			{"{}", "application/json", 0, 0},
			{" \n", "application/json", 0, 400},
			{"{", "application/json", 400, 400},
			{"[]", "application/json", 400, 400},
			{"{} {}", "application/json", 400, 400},
			{`{"a":1,"a":2}`, "application/json", 400, 400},
			{"{}", "text/plain", 415, 415},
		} {
			e := to(r)
			e.Body, e.Headers = tt.body, map[string]string{"Content-Type": tt.contentType}
			want := tt.refused
			if to(r).Body != "" {
				want = tt.withBody
			}
			got := serve(t, h, e)
			if status := got.answer.StatusCode; want != 0 && status != want || want == 0 && (status == 400 || status == 415) {
				t.Errorf("%s %s with %q as %s: %d %s", r.Method, r.Path, tt.body, tt.contentType, status, got.answer.Body)
			}
			if r.Operation == httpapi.DeleteDatabase {
				h, _ = registered(t)
			}
		}
	}
}

func TestHandle_UnknownQueryParameter_WithOtherFaults(t *testing.T) {
	t.Parallel()
	h, _ := registered(t)
	query := map[string]string{"show_sensitive": "1", "colour": "red", strings.Repeat("x", 1000): ""}
	for _, r := range httpapi.Routes() {
		if !slices.Contains(r.Query, "show_sensitive") {
			continue
		}
		t.Run(r.Method+" "+r.Path, func(t *testing.T) {
			t.Parallel()
			e := to(r)
			e.QueryStringParameters = query
			want := []string{`"show_sensitive":["must be`, `"colour":["is not`, `xxx…":["is not`}
			if e.Body != "" {
				e.Body = `{"port":"x"}`
				want = append(want, `"port":["must be`)
			}
			l := serve(t, h, e)
			for _, part := range want {
				if !strings.Contains(l.answer.Body, part) {
					t.Errorf("%s is not in %s", part, l.answer.Body)
				}
			}
		})
	}
	t.Run("at most 50 are named", func(t *testing.T) {
		t.Parallel()
		e := to(httpapi.Routes()[1])
		e.QueryStringParameters = map[string]string{}
		for i := range 200 {
			e.QueryStringParameters["p"+strings.Repeat("q", i)] = ""
		}
		if n := strings.Count(serve(t, h, e).answer.Body, `["is not`); n != 50 {
			t.Errorf("%d parameters are named, want 50", n)
		}
	})
}

func TestHandle_TrailingSlash(t *testing.T) {
	t.Parallel()
	for _, r := range httpapi.Routes() {
		t.Run(r.Method+" "+r.Path, func(t *testing.T) {
			t.Parallel()
			for name, change := range map[string]func(*events.APIGatewayProxyRequest){
				"as API Gateway sends it":     func(e *events.APIGatewayProxyRequest) { e.Path += "/" },
				"to the greedy resource":      func(e *events.APIGatewayProxyRequest) { greedy(e, e.Path+"/") },
				"behind a base path":          func(e *events.APIGatewayProxyRequest) { e.Path = "/base" + e.Path + "/" },
				"from the development server": func(e *events.APIGatewayProxyRequest) { e.Path, e.Resource = e.Path+"/", "" },
			} {
				h, _ := registered(t)
				e := to(r)
				change(&e)
				e.RequestContext.Path = "/v1" + e.Path
				got := serve(t, h, e)
				if got.answer.StatusCode >= http.StatusMultipleChoices || got.line["route"] != r.Method+" "+r.Path {
					t.Errorf("%s: %d %s", name, got.answer.StatusCode, got.answer.Body)
				}
				if location := got.answer.Headers["Location"]; strings.Contains(location, "//") {
					t.Errorf("%s: Location %q", name, location)
				}
			}
		})
	}
	t.Run("only one is ignored", func(t *testing.T) {
		t.Parallel()
		h, _ := registered(t)
		for _, path := range []string{"/", "//", "/api/", "/api/postgres_databases//", "/api/postgres_databases/n//"} {
			e := to(httpapi.Routes()[2])
			greedy(&e, path)
			if got := serve(t, h, e); got.answer.StatusCode != http.StatusNotFound {
				t.Errorf("%s: %d %s", path, got.answer.StatusCode, got.answer.Body)
			}
		}
	})
}

// greedy makes e one that only the resource /{proxy+} took.
func greedy(e *events.APIGatewayProxyRequest, path string) {
	e.Resource, e.Path = "/{proxy+}", path
	e.PathParameters = map[string]string{"proxy": strings.TrimPrefix(path, "/")}
}

func TestHandle_HeadersThatDifferInCase(t *testing.T) {
	t.Parallel()
	for range 20 {
		l := serve(t, httpapi.Handler{Endpoints: map[httpapi.Operation]httpapi.Endpoint{httpapi.CreateDatabase: creating(t)}},
			event(func(e *events.APIGatewayProxyRequest) {
				e.Headers = map[string]string{"CONTENT-TYPE": "text/plain", "content-type": "application/json", "Content-Type": "text/html"}
			}))
		if l.answer.StatusCode != http.StatusCreated {
			t.Fatalf("%d %s", l.answer.StatusCode, l.answer.Body)
		}
	}
}
