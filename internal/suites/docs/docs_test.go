// Package docs_test holds that the documentation names only what exists.
package docs_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

// maxReadmeLines keeps the README to a first look; the rest belongs to docs/.
const maxReadmeLines = 150

// history may name what was removed.
const history = "CHANGELOG.md"

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	section  = regexp.MustCompile(`(?m)^## (.+)$`)
	entry    = regexp.MustCompile(`(?m)^- \[(.+)\]\(#[^)]+\)$`)
	code     = regexp.MustCompile("`([^`\n]+)`")
	fenced   = regexp.MustCompile("(?ms)^ *```[a-z]*\n.*?^ *```$")
	target   = regexp.MustCompile(`\bmake ([a-z][a-z-]*)\b`)
	rule     = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
	filePath = regexp.MustCompile(`^(\.?[A-Za-z0-9_-]+/)*[A-Za-z0-9_.-]+\.(go|ya?ml|toml|json|md|sh)$`)
	folder   = regexp.MustCompile(`^(cmd|docs|events|examples|functions|internal)(/[a-z0-9_-]+)*/?$`)
)

// repository is what the pages may name.
type repository struct {
	files   []string // by path from the root
	targets []string
}

func open(t *testing.T) (root string, r repository) {
	t.Helper()
	root, err := localrun.RepositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	// What .gitignore names is not part of the repository.
	ignored := []string{".git", ".aws-sam", ".cache", ".local", "bin"}
	err = filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case slices.Contains(ignored, entry.Name()) && filepath.Dir(file) == root:
			if entry.IsDir() {
				return filepath.SkipDir
			}
		case !entry.IsDir():
			file, err = filepath.Rel(root, file)
			r.files = append(r.files, filepath.ToSlash(file))
		}
		return err
	})
	if err != nil {
		t.Fatalf("list the repository's files: %v", err)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range rule.FindAllStringSubmatch(string(makefile), -1) {
		r.targets = append(r.targets, m[1])
	}
	return root, r
}

func TestPages(t *testing.T) {
	t.Parallel()
	root, r := open(t)
	pages := map[string]string{}
	for _, file := range r.files {
		if path.Ext(file) != ".md" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		pages[file] = string(text)
	}
	for name, text := range pages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
				checkLink(t, r, pages, name, m[1])
			}
			if name == history {
				return
			}
			checkContents(t, text)
			for _, m := range target.FindAllStringSubmatch(commands(text), -1) {
				if !slices.Contains(r.targets, m[1]) {
					t.Errorf("the Makefile has no target %s", m[1])
				}
			}
			for _, m := range code.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
				if !r.has(m[1]) {
					t.Errorf("there is no %s", m[1])
				}
			}
		})
	}
	t.Run("the README is short", func(t *testing.T) {
		t.Parallel()
		if n := strings.Count(pages["README.md"], "\n"); n > maxReadmeLines {
			t.Errorf("README.md has %d lines, want at most %d", n, maxReadmeLines)
		}
	})
}

// commands returns the parts of a page that can hold commands.
func commands(text string) string {
	parts := fenced.FindAllString(text, -1)
	for _, m := range code.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		parts = append(parts, m[1])
	}
	return strings.Join(parts, "\n")
}

func checkLink(t *testing.T, r repository, pages map[string]string, from, to string) {
	t.Helper()
	if strings.Contains(to, "://") {
		return
	}
	file, anchor, _ := strings.Cut(to, "#")
	file = path.Join(path.Dir(from), file)
	if strings.HasPrefix(to, "#") {
		file = from
	}
	if !slices.Contains(r.files, file) {
		t.Errorf("the link %s leads nowhere", to)
		return
	}
	if anchor != "" && !slices.Contains(anchors(pages[file]), anchor) {
		t.Errorf("the link %s names no heading of %s", to, file)
	}
}

// checkContents holds that a page's list of its sections, if it has one, is whole.
func checkContents(t *testing.T, text string) {
	t.Helper()
	text = fenced.ReplaceAllString(text, "")
	var sections, listed []string
	for _, m := range section.FindAllStringSubmatch(text, -1) {
		sections = append(sections, m[1])
	}
	for _, m := range entry.FindAllStringSubmatch(text, -1) {
		listed = append(listed, m[1])
	}
	if len(listed) > 0 && !slices.Equal(listed, sections) {
		t.Errorf("the page lists the sections %q, but has %q", listed, sections)
	}
}

// anchors returns the fragments of a page's headings, as GitHub makes them.
func anchors(text string) []string {
	var all []string
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		slug := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', r >= 'a' && r <= 'z', r >= '0' && r <= '9':
				return r
			}
			return -1
		}, strings.ToLower(m[1]))
		all = append(all, slug)
	}
	return all
}

// has reports whether what stands in code exists, where it is a file or a folder
// of a repository like this one. A file may be named without its folder.
func (r repository) has(name string) bool {
	switch {
	case filePath.MatchString(name):
		return slices.ContainsFunc(r.files, func(f string) bool { return f == name || strings.HasSuffix(f, "/"+name) })
	case folder.MatchString(name):
		return slices.ContainsFunc(r.files, func(f string) bool { return strings.HasPrefix(f, strings.TrimSuffix(name, "/")+"/") })
	}
	return true
}

// TestFunctions holds that each function has an event to try it with, as docs/local.md says,
// and that the pages that go through the functions leave none out.
func TestFunctions(t *testing.T) {
	t.Parallel()
	root, r := open(t)
	pages := map[string]string{"docs/architecture.md": "", "docs/threat-model.md": ""}
	for page := range pages {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		pages[page] = string(text)
	}
	for _, file := range r.files {
		function, ok := strings.CutPrefix(path.Dir(file), "functions/")
		if !ok {
			continue
		}
		if !slices.ContainsFunc(r.files, func(f string) bool { return strings.HasPrefix(f, "events/"+function) }) {
			t.Errorf("%s has no event in events/", function)
		}
		for page, text := range pages {
			if !strings.Contains(text, function) {
				t.Errorf("%s does not name %s", page, function)
			}
		}
	}
}
