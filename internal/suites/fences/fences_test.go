// Package fences_test holds the rules about which package may import which.
package fences_test

import (
	"slices"
	"testing"
)

// fence forbids imports to a set of packages. Patterns are import paths, those
// of this repository relative to its root; /... includes all packages below.
type fence struct {
	name string
	// of are the packages that the fence is about, without those in except.
	of, except []string
	// never must not be imported, not even by a dependency.
	never []string
	// neverDirectly must not be imported by the packages themselves.
	neverDirectly []string
}

func fences() []fence {
	return []fence{
		{
			name:   "production imports neither the test kit nor the suites",
			of:     []string{"functions/...", "internal/..."},
			except: []string{"internal/testkit/...", "internal/suites/...", "internal/devserver/run", "internal/devserver/sample"},
			never:  []string{"internal/testkit/...", "internal/suites/...", "testing/..."},
		},
		{
			name:          "judging imports no network and no driver",
			of:            []string{"internal/probe/judge/...", "internal/probe/facts/..."},
			never:         []string{"internal/probe/ask/...", "internal/egress/...", "github.com/jackc/pgx/...", "net/http/...", "crypto/tls/..."},
			neverDirectly: []string{"context", "net/..."}, // the domain's packages import them
		},
		{
			name:  "asking does not import judging",
			of:    []string{"internal/probe/ask/..."},
			never: []string{"internal/probe/judge/..."},
		},
		{
			// A misconfigured deployment must fail at its start, not write to a disk
			// that vanishes.
			name:  "no function links the local store or the development server",
			of:    []string{"functions/..."},
			never: []string{"internal/localstore/...", "go.etcd.io/bbolt/...", "internal/devserver/..."},
		},
		{
			// The SDK's config package links the clients of the sign-on services, which
			// makes every cold start slower.
			name:  "no function links the SDK's configuration",
			of:    []string{"functions/..."},
			never: []string{"github.com/aws/aws-sdk-go-v2/config/...", "github.com/aws/aws-sdk-go-v2/credentials/..."},
		},
		{
			// The OpenAPI document is translated when it is written.
			name:  "no function links a YAML parser",
			of:    []string{"functions/..."},
			never: []string{"go.yaml.in/yaml/..."},
		},
		{
			// Half a megabyte, which only people who read the reference need.
			name:   "only describe-api links the viewer of the OpenAPI document",
			of:     []string{"functions/..."},
			except: []string{"functions/describe-api"},
			never:  []string{"internal/apireference/...", "github.com/swaggest/swgui/..."},
		},
	}
}

func TestFences_Repository(t *testing.T) {
	t.Parallel()
	imports := listImports(t)
	for _, f := range fences() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			for _, breach := range imports.breaches(f) {
				t.Error(breach)
			}
		})
	}
}

// sound returns imports that break no fence, of at least one package for each
// pattern.
func sound() graph {
	const sdk = "github.com/aws/aws-sdk-go-v2/"
	return graph{
		"functions/create-database":   {"internal/httpapi", "internal/probe", sdk + "aws"},
		"functions/describe-api":      {"internal/apireference"},
		"internal/apireference":       {"internal/httpapi", "github.com/swaggest/swgui/v5/static"},
		"internal/httpapi":            {"internal/database", "net/http"},
		"internal/database":           {"net"},
		"internal/egress":             {"net"},
		"internal/localstore":         {"internal/database", "go.etcd.io/bbolt"},
		"internal/probe":              {"context", "internal/probe/ask", "internal/probe/judge"},
		"internal/probe/ask":          {"internal/probe/facts", "internal/egress", "github.com/jackc/pgx/v5/pgconn", "crypto/tls"},
		"internal/probe/facts":        nil,
		"internal/probe/judge":        {"internal/probe/facts", "internal/database"},
		"internal/devserver":          {"internal/httpapi", "internal/localstore"},
		"internal/devserver/sample":   {"internal/testkit/pgserver"},
		"internal/devserver/run":      {"internal/devserver", "internal/devserver/sample"},
		"internal/testkit/pgserver":   {"testing"},
		"internal/suites/functions":   {"internal/testkit/pgserver", "internal/devserver"},
		"internal/suites/bench/naive": {sdk + "config"},

		"github.com/swaggest/swgui/v5/static": nil,

		"context":                        nil,
		"crypto/tls":                     nil,
		"github.com/jackc/pgx/v5/pgconn": nil,
		"go.etcd.io/bbolt":               nil,
		"go.yaml.in/yaml/v4":             nil,
		"net":                            nil,
		"net/http":                       nil,
		"testing":                        nil,
		sdk + "aws":                      nil,
		sdk + "config":                   {sdk + "credentials"},
		sdk + "credentials":              {"net"},
	}
}

func allBreaches(imports graph) []string {
	var found []string
	for _, f := range fences() {
		found = append(found, imports.breaches(f)...)
	}
	return found
}

func TestFences_SoundImports(t *testing.T) {
	t.Parallel()
	if found := allBreaches(sound()); len(found) > 0 {
		t.Errorf("breaches %q, want none", found)
	}
}

func TestFences_WrongImport(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		from, imported string
		want           string
	}{
		{
			"production imports the test kit", "internal/database", "internal/testkit/pgserver",
			"internal/database imports internal/testkit/pgserver",
		},
		{
			"production imports a suite", "internal/localstore", "internal/suites/functions",
			"internal/localstore imports internal/suites/functions",
		},
		{
			"a function imports the test kit through another package", "internal/database", "internal/testkit/pgserver",
			"functions/create-database imports internal/httpapi imports internal/database imports internal/testkit/pgserver",
		},
		{
			"production imports testing", "internal/httpapi", "testing",
			"internal/httpapi imports testing",
		},
		{
			"judging imports the network", "internal/probe/judge", "net",
			"internal/probe/judge imports net",
		},
		{
			"judging imports a driver through another package", "internal/database", "github.com/jackc/pgx/v5/pgconn",
			"internal/probe/judge imports internal/database imports github.com/jackc/pgx/v5/pgconn",
		},
		{
			"judging imports asking", "internal/probe/judge", "internal/probe/ask",
			"internal/probe/judge imports internal/probe/ask",
		},
		{
			"asking imports judging", "internal/probe/ask", "internal/probe/judge",
			"internal/probe/ask imports internal/probe/judge",
		},
		{
			"a function links the local store", "internal/httpapi", "internal/localstore",
			"functions/create-database imports internal/httpapi imports internal/localstore",
		},
		{
			"a function links a YAML parser", "internal/httpapi", "go.yaml.in/yaml/v4",
			"functions/create-database imports internal/httpapi imports go.yaml.in/yaml/v4",
		},
		{
			"another function links the viewer", "internal/httpapi", "github.com/swaggest/swgui/v5/static",
			"functions/create-database imports internal/httpapi imports github.com/swaggest/swgui/v5/static",
		},
		{
			"a function links the SDK's configuration", "functions/create-database", "github.com/aws/aws-sdk-go-v2/config",
			"functions/create-database imports github.com/aws/aws-sdk-go-v2/config",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			imports := sound()
			imports[tt.from] = append(imports[tt.from], tt.imported)
			if found := allBreaches(imports); !slices.Contains(found, tt.want) {
				t.Errorf("breaches %q, want %q among them", found, tt.want)
			}
		})
	}
	t.Run("a pattern that matches no package", func(t *testing.T) {
		t.Parallel()
		imports := sound()
		delete(imports, "internal/localstore")
		if found := allBreaches(imports); !slices.Contains(found, "no package matches internal/localstore/...") {
			t.Errorf("breaches %q, want the pattern among them", found)
		}
	})
}
