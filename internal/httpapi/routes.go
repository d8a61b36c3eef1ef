package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// Operation is what a route does, by the name of the function that does it.
type Operation string

// The operations of the API.
const (
	CreateDatabase Operation = "create-database"
	ListDatabases  Operation = "list-databases"
	GetDatabase    Operation = "get-database"
	UpdateDatabase Operation = "update-database"
	DeleteDatabase Operation = "delete-database"
	TestConnection Operation = "test-database"
	RefreshTables  Operation = "refresh-tables"
	DescribeAPI    Operation = "describe-api"
)

// Route is one method of one path. A path's segment in braces is a parameter.
type Route struct {
	Operation Operation
	Method    string
	Path      string
	// Public routes need no key.
	Public bool
}

// Routes are all routes of the API.
func Routes() []Route {
	const (
		databases = "/api/postgres_databases"
		one       = databases + "/{id_or_name}"
	)
	return []Route{
		{Operation: CreateDatabase, Method: http.MethodPost, Path: databases},
		{Operation: ListDatabases, Method: http.MethodGet, Path: databases},
		{Operation: GetDatabase, Method: http.MethodGet, Path: one},
		{Operation: UpdateDatabase, Method: http.MethodPut, Path: one},
		{Operation: UpdateDatabase, Method: http.MethodPatch, Path: one},
		{Operation: DeleteDatabase, Method: http.MethodDelete, Path: one},
		{Operation: TestConnection, Method: http.MethodPost, Path: one + "/test_connection"},
		{Operation: RefreshTables, Method: http.MethodPost, Path: one + "/refresh_tables"},
		{Operation: DescribeAPI, Method: http.MethodGet, Path: "/api/openapi.json", Public: true},
	}
}

// match finds the route of an event. known are the methods of its path, none
// where there is no such path.
func match(e *events.APIGatewayProxyRequest) (route Route, params map[string]string, known []string) {
	path := pathOf(e)
	for _, r := range Routes() {
		p, ok := matchPath(r.Path, path)
		if !ok {
			continue
		}
		if r.Method == e.HTTPMethod {
			return r, p, nil
		}
		if !slices.Contains(known, r.Method) {
			known = append(known, r.Method)
		}
	}
	return Route{}, nil, known
}

// pathOf is the path that was asked for, without the stage or the base path of
// a custom domain: the gateway tells those only of what a greedy resource took.
func pathOf(e *events.APIGatewayProxyRequest) string {
	if rest, ok := e.PathParameters["proxy"]; ok && strings.HasSuffix(e.Resource, "/{proxy+}") {
		return strings.TrimSuffix(e.Resource, "{proxy+}") + rest
	}
	if e.Resource == "" || strings.Contains(e.Resource, "{") {
		return e.Path
	}
	return e.Resource
}

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
