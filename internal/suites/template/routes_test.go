package template_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/headgate/headgate/internal/httpapi"
)

// route is one method of one path, and the function that answers it. Methods that
// no other function answers are "any".
type route struct{ method, path, function string }

func (r route) String() string { return r.method + " " + r.path + " to " + r.function }

// checkRoutes compares the routes of the template with those of the code, and
// which of them need no key.
func checkRoutes(t template, _ map[string]program) []string {
	want, got := codeRoutes(), map[route]bool{}
	found := t.checkAuthorizer()
	for _, f := range t.functions() {
		for name, e := range f.events("Api") {
			open := textAt(e, "Auth", "Authorizer")
			got[route{textAt(e, "Method"), textAt(e, "Path"), f.name}] = open == "NONE"
			if open != "NONE" && open != "" {
				found = append(found, fmt.Sprintf("%s's event %s has an authorizer of its own, %s", f.name, name, open))
			}
			if !t.isA(textAt(e, "RestApiId"), "AWS::Serverless::Api") {
				found = append(found, fmt.Sprintf("%s's event %s belongs to no API", f.name, name))
			}
		}
	}
	for _, r := range inOrder(want) {
		switch open, there := got[r]; {
		case !there:
			found = append(found, "the template lacks "+r.String())
		case open && !want[r]:
			found = append(found, "nobody asks for a key for "+r.String())
		case !open && want[r]:
			found = append(found, "a key is asked for, and none needed, for "+r.String())
		}
	}
	for _, r := range inOrder(got) {
		if _, known := want[r]; !known {
			found = append(found, "the code has no "+r.String())
		}
	}
	return found
}

// codeRoutes are those of the code, with what is left of each path, and of all
// others, for not-found; and whether they need no key.
func codeRoutes() map[route]bool {
	routes := map[route]bool{}
	for _, r := range httpapi.Routes() {
		routes[route{strings.ToLower(r.Method), r.Path, string(r.Operation)}] = r.Public
		routes[route{"any", r.Path, "not-found"}] = false
	}
	for _, path := range []string{"/", "/{proxy+}"} {
		routes[route{"any", path, "not-found"}] = false
	}
	return routes
}

func inOrder(routes map[route]bool) []route {
	return slices.SortedFunc(maps.Keys(routes), func(a, b route) int { return strings.Compare(a.String(), b.String()) })
}

// checkAuthorizer says whether each API asks authorize-request, by its alias, for
// the key of each route that does not say otherwise.
func (t template) checkAuthorizer() []string {
	var found []string
	for name, api := range t.ofType("AWS::Serverless::Api") {
		authorizer := textAt(api, "Auth", "DefaultAuthorizer")
		if asked := textAt(api, "Auth", "Authorizers", authorizer, "FunctionArn"); asked != "${AuthorizeRequestFunction.Alias}" {
			found = append(found, fmt.Sprintf("%s asks %q whose a key is, not the alias of authorize-request", name, asked))
		}
	}
	return found
}
