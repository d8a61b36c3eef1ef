package template_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/headgate/headgate/internal/httpapi"
)

// route is a method and a path, and the function that serves it. The method "any"
// stands for all that no other route has.
type route struct{ method, path, function string }

func (r route) String() string { return r.method + " " + r.path + " to " + r.function }

// checkRoutes compares the routes of the template, and which of them need no key,
// with those of the code.
func checkRoutes(t template, _ map[string]program) []string {
	want, got := codeRoutes(), map[route]bool{}
	found := t.checkAuthorizer()
	for _, f := range t.functions() {
		for name, e := range f.events("Api") {
			open := textAt(e, "Auth", "Authorizer")
			got[route{textAt(e, "Method"), textAt(e, "Path"), f.name}] = open == "NONE"
			if open != "NONE" && open != "" {
				found = append(found, fmt.Sprintf("the event %[2]s of %[1]s has its own authorizer, %[3]s", f.name, name, open))
			}
			if !t.isA(textAt(e, "RestApiId"), "AWS::Serverless::Api") {
				found = append(found, fmt.Sprintf("the event %[2]s of %[1]s belongs to no API", f.name, name))
			}
		}
	}
	for _, r := range inOrder(want) {
		switch open, there := got[r]; {
		case !there:
			found = append(found, "the template lacks "+r.String())
		case open && !want[r]:
			found = append(found, "no key is needed, but should be, for "+r.String())
		case !open && want[r]:
			found = append(found, "a key is needed, but should not be, for "+r.String())
		}
	}
	for _, r := range inOrder(got) {
		if _, known := want[r]; !known {
			found = append(found, "the code has no "+r.String())
		}
	}
	return found
}

// codeRoutes returns the routes of the code, and whether they need no key. All
// other methods and paths are routes of not-found, but the methods of a page are its
// function's, which knows whether there is one.
func codeRoutes() map[route]bool {
	routes := map[route]bool{}
	for _, r := range httpapi.Routes() {
		routes[route{strings.ToLower(r.Method), r.Path, r.Operation.Function()}] = r.Public
		routes[route{"any", r.Path, "not-found"}] = false
	}
	for _, r := range httpapi.Pages() {
		routes[route{strings.ToLower(r.Method), r.Path, r.Operation.Function()}] = r.Public
		routes[route{"any", r.Path, r.Operation.Function()}] = false
	}
	for _, path := range []string{"/", "/{proxy+}"} {
		routes[route{"any", path, "not-found"}] = false
	}
	return routes
}

func inOrder(routes map[route]bool) []route {
	return slices.SortedFunc(maps.Keys(routes), func(a, b route) int { return strings.Compare(a.String(), b.String()) })
}

// checkAuthorizer checks that the alias of authorize-request is the default
// authorizer of each API.
func (t template) checkAuthorizer() []string {
	var found []string
	for name, api := range t.ofType("AWS::Serverless::Api") {
		authorizer := textAt(api, "Auth", "DefaultAuthorizer")
		if asked := textAt(api, "Auth", "Authorizers", authorizer, "FunctionArn"); asked != "${AuthorizeRequestFunction.Alias}" {
			found = append(found, fmt.Sprintf("the authorizer of %s is %q, want the alias of authorize-request", name, asked))
		}
	}
	return found
}
