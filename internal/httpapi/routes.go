package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/apikey"
)

// Operation is the name of what a route does.
type Operation string

// Function returns the name of the function that answers the operation's routes.
// Reading a database and its health takes the same permissions.
func (o Operation) Function() string {
	switch o {
	case GetHealth:
		return string(GetDatabase)
	case ShowReference:
		return string(DescribeAPI)
	}
	return string(o)
}

// The operations of the API.
const (
	CreateDatabase Operation = "create-database"
	ListDatabases  Operation = "list-databases"
	GetDatabase    Operation = "get-database"
	GetHealth      Operation = "get-health"
	UpdateDatabase Operation = "update-database"
	DeleteDatabase Operation = "delete-database"
	TestConnection Operation = "test-database"
	RefreshTables  Operation = "refresh-tables"
	DescribeAPI    Operation = "describe-api"
	// ShowReference is a page for people, and no part of the contract.
	ShowReference Operation = "show-reference"
)

// Route is one method of one path. A path's segment in braces is a parameter.
type Route struct {
	Operation Operation
	Method    string
	Path      string
	// Public routes need no key.
	Public bool
	// Scope is what the key must have. It is empty for public routes.
	Scope apikey.Scope
	// Body is whether the request has a body. Any other route ignores an empty one and a
	// JSON object, and refuses the rest.
	Body bool
	// Query has the names of the query parameters that the route takes.
	Query []string
}

// Routes returns all routes of the API.
func Routes() []Route {
	const (
		databases = "/api/postgres_databases"
		one       = databases + "/{id_or_name}"
	)
	update := []string{"dry_run", "show_sensitive", "verify"}
	return []Route{
		{Operation: CreateDatabase, Scope: apikey.Write, Method: http.MethodPost, Path: databases, Body: true, Query: []string{"show_sensitive", "dry_run"}},
		{Operation: ListDatabases, Scope: apikey.Read, Method: http.MethodGet, Path: databases, Query: []string{"show_sensitive", "include", "limit", "cursor"}},
		{Operation: GetDatabase, Scope: apikey.Read, Method: http.MethodGet, Path: one, Query: []string{"show_sensitive", "include"}},
		{Operation: GetHealth, Scope: apikey.Read, Method: http.MethodGet, Path: one + "/health"},
		{Operation: UpdateDatabase, Scope: apikey.Write, Method: http.MethodPut, Path: one, Body: true, Query: update},
		{Operation: UpdateDatabase, Scope: apikey.Write, Method: http.MethodPatch, Path: one, Body: true, Query: update},
		{Operation: DeleteDatabase, Scope: apikey.Write, Method: http.MethodDelete, Path: one, Query: []string{"drop_slot", "drop_publication"}},
		{Operation: TestConnection, Scope: apikey.Write, Method: http.MethodPost, Path: one + "/test_connection"},
		{Operation: RefreshTables, Scope: apikey.Write, Method: http.MethodPost, Path: one + "/refresh_tables"},
		{Operation: DescribeAPI, Method: http.MethodGet, Path: "/api/openapi.json", Public: true},
	}
}

// Pages returns the routes of pages for people. They are not in the OpenAPI
// document, and a deployment may be without their endpoints.
func Pages() []Route {
	return []Route{{Operation: ShowReference, Method: http.MethodGet, Path: "/api/reference", Public: true}}
}

// match returns the route of an event and the parameters of its path. If the path
// has only other methods, it returns those, but not those of a page without an endpoint.
func (h *Handler) match(e *events.APIGatewayProxyRequest) (route Route, params map[string]string, methods []string) {
	path, routes := pathOf(e), Routes()
	for _, page := range Pages() {
		if h.Endpoints[page.Operation] != nil || page.Method == e.HTTPMethod {
			routes = append(routes, page)
		}
	}
	for _, r := range routes {
		p, ok := matchPath(r.Path, path)
		if !ok {
			continue
		}
		if r.Method == e.HTTPMethod {
			return r, p, nil
		}
		if !slices.Contains(methods, r.Method) {
			methods = append(methods, r.Method)
		}
	}
	return Route{}, nil, methods
}

// pathOf returns the requested path without a trailing slash, the stage, and the
// base path of a custom domain. API Gateway matches /x/ with the resource /x and
// leaves the slash in the event's path.
func pathOf(e *events.APIGatewayProxyRequest) string {
	path := strings.TrimSuffix(e.Path, "/")
	rest, greedy := e.PathParameters["proxy"]
	switch {
	case e.Resource == "":
		return path
	case greedy && strings.HasSuffix(e.Resource, "/{proxy+}"):
		return strings.TrimSuffix(strings.TrimSuffix(e.Resource, "{proxy+}")+rest, "/")
	case !strings.Contains(e.Resource, "{"):
		return e.Resource
	}
	segments, length := strings.Split(path, "/"), strings.Count(e.Resource, "/")
	if base := len(segments) - length; base > 0 {
		path = "/" + strings.Join(segments[base:], "/")
	}
	return path
}

// matchPath returns the parameters of a path and whether it has the pattern.
func matchPath(pattern, path string) (map[string]string, bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return nil, false
	}
	var params map[string]string
	for i, w := range want {
		if !strings.HasPrefix(w, "{") {
			if w != have[i] {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(have[i])
		if err != nil || value == "" {
			return nil, false
		}
		if params == nil {
			params = map[string]string{}
		}
		params[strings.Trim(w, "{}")] = value
	}
	return params, true
}
