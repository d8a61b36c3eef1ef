package functions_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/httpapi"
	"github.com/headgate/headgate/internal/testkit/gateway"
)

// scopes returns the scope that each operation needs, as the contract says.
func scopes() map[httpapi.Operation]string {
	return map[httpapi.Operation]string{
		httpapi.ListDatabases: "read", httpapi.GetDatabase: "read", httpapi.GetHealth: "read",
		httpapi.CreateDatabase: "write", httpapi.UpdateDatabase: "write", httpapi.DeleteDatabase: "write",
		httpapi.TestConnection: "write", httpapi.RefreshTables: "write",
		httpapi.DescribeAPI: "",
	}
}

// scopedRequest is a request and the scopes that it needs.
type scopedRequest struct {
	method, target string
	needs          []string
}

// scopedRequests returns a request for each route, and one that shows passwords
// where the route can.
func scopedRequests(t *testing.T) []scopedRequest {
	t.Helper()
	var all []scopedRequest
	for _, route := range httpapi.Routes() {
		scope, known := scopes()[route.Operation]
		if !known {
			t.Fatalf("%s has no scope in this test", route.Operation)
		}
		r := scopedRequest{method: route.Method, target: strings.Replace(route.Path, "{id_or_name}", "orders", 1)}
		if scope != "" {
			r.needs = []string{scope}
		}
		all = append(all, r)
		if slices.Contains(route.Query, "show_sensitive") {
			r.target += "?show_sensitive=true"
			r.needs = append(slices.Clone(r.needs), "reveal")
			all = append(all, r)
		}
	}
	return all
}

// admit sends a key to the authorizer, checks that its policy allows the request,
// and returns its context as API Gateway hands it on: with text only.
func admit(t *testing.T, f *functions, key string, r scopedRequest) map[string]any {
	t.Helper()
	answer, err := authorize(t, f.function("authorize-request"), "Bearer "+key)
	if err != nil {
		t.Fatal(err)
	}
	path, _, _ := strings.Cut(r.target, "?")
	arn := "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/v1/" + r.method + path
	resource, wildcard := strings.CutSuffix(answer.PolicyDocument.Statement[0].Resource[0], "*")
	if !wildcard || !strings.HasPrefix(arn, resource) {
		t.Fatalf("the policy allows %s, not %s", answer.PolicyDocument.Statement[0].Resource, arn)
	}
	context := map[string]any{}
	for name, value := range answer.Context {
		context[name] = fmt.Sprint(value)
	}
	return context
}

func TestScopes(t *testing.T) {
	t.Parallel()
	f := newFunctions(t)
	owner := &client{t, f, "acme"}
	var registered, after any
	owner.call(http.MethodPost, collection, newSource(t, "orders"), 201, nil)
	owner.call(http.MethodGet, orders, nil, 200, &registered)
	for _, granted := range [][]string{
		{"read"}, {"write"}, {"reveal"}, {"read", "write"}, {"read", "reveal"}, {"write", "reveal"}, {"read", "write", "reveal"},
	} {
		key := createKey(t, f.function("create-api-key"), map[string]any{"account_id": "acme", "name": "ci", "scopes": granted})
		if !slices.Equal(key.Scopes, granted) {
			t.Errorf("created with the scopes %v, want %v", key.Scopes, granted)
		}
		for _, r := range scopedRequests(t) {
			t.Run(fmt.Sprintf("%s %s with %s", r.method, r.target, strings.Join(granted, ",")), func(t *testing.T) {
				wantScoped(t, f, r, granted, admit(t, f, key.APIKey, r))
			})
		}
	}
	if owner.call(http.MethodGet, orders, nil, 200, &after); fmt.Sprint(after) != fmt.Sprint(registered) {
		t.Errorf("the database is %v, and was %v", after, registered)
	}
	f.wantOne()
}

// wantScoped sends a request. It wants a 403 that names the first scope that is
// lacking, and does nothing, or else anything but a 403. What is allowed is asked
// of a database that does not exist, so that the next request finds the same state.
func wantScoped(t *testing.T, f *functions, r scopedRequest, granted []string, context map[string]any) {
	t.Helper()
	lacking := slices.DeleteFunc(slices.Clone(r.needs), func(s string) bool { return slices.Contains(granted, s) })
	target := r.target
	if len(lacking) == 0 {
		target = strings.Replace(target, "/orders", "/nobody", 1)
	}
	got := f.do(t, gateway.Request{Account: "acme", Authorizer: context, Method: r.method, Target: target})
	if len(lacking) == 0 {
		if got.status == http.StatusForbidden || got.status == http.StatusUnauthorized || got.status >= 500 {
			t.Errorf("%d %s, want it to be allowed", got.status, got.body)
		}
		return
	}
	var body struct{ Summary string }
	if err := json.Unmarshal(got.body, &body); err != nil {
		t.Fatal(err)
	}
	if got.status != http.StatusForbidden || !strings.Contains(body.Summary, fmt.Sprintf("%q", lacking[0])) {
		t.Errorf("%d %s, want 403 with %q", got.status, got.body, lacking[0])
	}
}

func TestScopes_WithoutThemAllAreGranted(t *testing.T) {
	t.Parallel()
	f := newFunctions(t)
	key := createKey(t, f.function("create-api-key"), map[string]any{"account_id": "acme", "name": "ci"})
	if want := []string{"read", "write", "reveal"}; !slices.Equal(key.Scopes, want) {
		t.Errorf("created with the scopes %v, want %v", key.Scopes, want)
	}
	// The second is what an authorizer without scopes answers, and the gateway caches.
	for name, context := range map[string]map[string]any{
		"a new key":                admit(t, f, key.APIKey, scopedRequest{method: http.MethodGet, target: collection}),
		"a context without scopes": {"account_id": "acme"},
	} {
		for _, r := range scopedRequests(t) {
			t.Run(name+" "+r.method+" "+r.target, func(t *testing.T) { wantScoped(t, f, r, r.needs, context) })
		}
	}
}

func TestScopes_UnknownGrantNothing(t *testing.T) {
	t.Parallel()
	f := newFunctions(t)
	for name, scopes := range map[string]any{"empty": "", "unknown": "admin", "another type": 7.0, "another letter case": "READ"} {
		got := f.do(t, gateway.Request{
			Account: "acme", Authorizer: map[string]any{"account_id": "acme", "scopes": scopes}, Method: http.MethodGet, Target: collection,
		})
		if got.status != http.StatusForbidden {
			t.Errorf("%s: %d %s, want 403", name, got.status, got.body)
		}
	}
}
