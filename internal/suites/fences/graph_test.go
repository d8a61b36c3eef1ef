package fences_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

// module is the prefix of this repository's import paths.
const module = "github.com/headgate/headgate/"

// graph maps each package to the packages it imports. Paths inside this
// repository are relative to its root.
type graph map[string][]string

// listImports returns the import graph of the repository as it is deployed,
// dependencies and the standard library included, test files excluded.
func listImports(t *testing.T) graph {
	t.Helper()
	if err := localrun.TrackSources(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", "lambda.norpc", "-json=ImportPath,Imports", module+"...")
	cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("list imports: %v", err)
	}
	imports := graph{}
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var listed struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&listed); errors.Is(err, io.EOF) {
			return imports
		} else if err != nil {
			t.Fatalf("decode imports: %v", err)
		}
		for i, path := range listed.Imports {
			listed.Imports[i] = strings.TrimPrefix(path, module)
		}
		imports[strings.TrimPrefix(listed.ImportPath, module)] = listed.Imports
	}
}

// breaches returns one line for each import that breaks the fence, sorted. A
// pattern that no package matches is a breach too: it would guard nothing.
func (g graph) breaches(f fence) []string {
	packages := slices.Sorted(maps.Keys(g))
	var found []string
	for _, pattern := range slices.Concat(f.of, f.except, f.never, f.neverDirectly) {
		if !slices.ContainsFunc(packages, func(path string) bool { return matches(path, []string{pattern}) }) {
			found = append(found, "no package matches "+pattern)
		}
	}
	for _, start := range packages {
		if !matches(start, f.of) || matches(start, f.except) {
			continue
		}
		for _, path := range g.paths(start) {
			last := path[len(path)-1]
			if matches(last, f.never) || len(path) == 2 && matches(last, f.neverDirectly) {
				found = append(found, strings.Join(path, " imports "))
			}
		}
	}
	return found
}

// paths returns a shortest chain of imports from start to every package that
// start depends on.
func (g graph) paths(start string) [][]string {
	var found [][]string
	seen := map[string]bool{start: true}
	for queue := [][]string{{start}}; len(queue) > 0; queue = queue[1:] {
		path := queue[0]
		for _, next := range g[path[len(path)-1]] {
			if seen[next] {
				continue
			}
			seen[next] = true
			longer := append(slices.Clone(path), next)
			found, queue = append(found, longer), append(queue, longer)
		}
	}
	return found
}

// matches reports whether the path is one of the patterns or, for a pattern
// that ends in /..., that package or one below it.
func matches(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		parent, all := strings.CutSuffix(pattern, "/...")
		return path == parent || all && strings.HasPrefix(path, parent+"/")
	})
}
