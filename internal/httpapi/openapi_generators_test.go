package httpapi_test

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// Generators of clients leave out the rules of a schema that are in these members.
// They stumble over some of them elsewhere.
func ruleMembers() []string { return []string{"if", "then", "else", "not", "contains"} }

// eachSchema calls visit with every schema that generators read, and its place.
func eachSchema(place string, schema any, visit func(place string, schema object)) {
	switch s := schema.(type) {
	case object:
		visit(place, s)
		for name, member := range s {
			if !slices.Contains(ruleMembers(), name) {
				eachSchema(place+"/"+name, member, visit)
			}
		}
	case []any:
		for _, member := range s {
			eachSchema(place, member, visit)
		}
	}
}

// internal/suites/examples runs two generators. These are what they and others, such
// as ogen and openapi-generator, do not take.
func TestOpenAPI_Generators(t *testing.T) {
	t.Parallel()
	d := document(t)
	t.Run("no property's schema is a boolean", func(t *testing.T) {
		t.Parallel()
		eachSchema("", at(t, d, "components", "schemas"), func(place string, schema object) {
			properties, _ := schema["properties"].(object)
			for name, property := range properties {
				if _, boolean := property.(bool); boolean {
					t.Errorf("%s/%s is a boolean", place, name)
				}
			}
		})
	})
	t.Run("enumerations and constants have a type", func(t *testing.T) {
		t.Parallel()
		eachSchema("", at(t, d, "components", "schemas"), func(place string, schema object) {
			_, enumeration := schema["enum"].([]any)
			_, constant := schema["const"]
			if (enumeration || constant) && schema["type"] == nil && !strings.HasSuffix(place, "/properties") {
				t.Errorf("%s has no type", place)
			}
		})
	})
	t.Run("one reference is not a schema's only part besides properties", func(t *testing.T) {
		t.Parallel()
		eachSchema("", at(t, d, "components", "schemas"), func(place string, schema object) {
			if _, properties := schema["properties"].(object); properties && len(list(schema["allOf"])) == 1 {
				t.Errorf("%s: openapi-python-client leaves out its properties", place)
			}
		})
	})
	t.Run("fields of requests have no default", func(t *testing.T) {
		t.Parallel()
		eachSchema("", at(t, d, "components", "schemas"), func(place string, schema object) {
			if _, given := schema["default"]; given && !strings.HasSuffix(place, "/properties") {
				t.Errorf("%s: generated clients would send it", place)
			}
		})
	})
	t.Run("no two components have the same name", func(t *testing.T) {
		t.Parallel()
		names := map[string]string{}
		for _, kind := range []string{"schemas", "responses", "parameters", "requestBodies"} {
			members, _ := at(t, d, "components")[kind].(object)
			for name := range maps.Keys(members) {
				if other := names[strings.ToLower(name)]; other != "" {
					t.Errorf("%s is in %s and %s", name, other, kind)
				}
				names[strings.ToLower(name)] = kind
			}
		}
	})
	t.Run("the only server has an absolute URL", func(t *testing.T) {
		t.Parallel()
		servers := list(d["servers"])
		if len(servers) != 1 {
			t.Fatalf("servers %v", servers)
		}
		if u, err := url.Parse(servers[0].(object)["url"].(string)); err != nil || !u.IsAbs() || u.Host == "" {
			t.Errorf("server %v (%v)", u, err)
		}
	})
}
