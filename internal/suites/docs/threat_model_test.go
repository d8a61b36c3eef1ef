package docs_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	testFunction = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	// testName is the name of a test, with its folder's name in front where several tests
	// have the name. A star stands for any end.
	testName = regexp.MustCompile(`^([a-z]+\.)?Test\w+\*?$`)
	// templatePlace is a resource or a parameter of the template, and a word in it.
	templatePlace = regexp.MustCompile(`^([A-Z][A-Za-z0-9]+)(?:\.([A-Z][A-Za-z0-9]+))?$`)
)

// evidence is what the threat model may name: the tests, with and without their
// folders' names, and the template.
type evidence struct {
	tests, targets []string
	template       string
}

func readEvidence(t *testing.T) (threatModel string, e evidence) {
	t.Helper()
	root, r := open(t)
	read := func(file string) string {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	e = evidence{targets: r.targets, template: read("template.yaml")}
	for _, file := range r.files {
		if !strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, m := range testFunction.FindAllStringSubmatch(read(file), -1) {
			e.tests = append(e.tests, m[1], path.Base(path.Dir(file))+"."+m[1])
		}
	}
	return read("docs/threat-model.md"), e
}

// has reports whether what a row names exists.
func (e evidence) has(name string) bool {
	switch {
	case strings.HasPrefix(name, "make "):
		return slices.Contains(e.targets, strings.TrimPrefix(name, "make "))
	case testName.MatchString(name):
		prefix, open := strings.CutSuffix(name, "*")
		return slices.ContainsFunc(e.tests, func(test string) bool { return test == name || open && strings.HasPrefix(test, prefix) })
	case templatePlace.MatchString(name):
		m := templatePlace.FindStringSubmatch(name)
		section := regexp.MustCompile(`(?m)^  ` + m[1] + `:.*\n(?:(?:    .*)?\n)*`)
		return slices.ContainsFunc(section.FindAllString(e.template, -1), func(text string) bool {
			return m[2] == "" || regexp.MustCompile(`\b`+m[2]+`\b`).MatchString(text)
		})
	}
	return false
}

// TestThreatModel holds that each claim has a test or a place in the template.
func TestThreatModel(t *testing.T) {
	t.Parallel()
	text, e := readEvidence(t)
	sections := strings.Split(text, "\n## ")[1:]
	for _, section := range sections {
		title, _, _ := strings.Cut(section, "\n")
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			rows := 0
			for line := range strings.Lines(section) {
				if !strings.HasPrefix(line, "| ") {
					continue
				}
				cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
				if rows++; rows == 1 {
					if last := strings.TrimSpace(cells[len(cells)-1]); len(cells) != 3 || last != "shown by" {
						t.Errorf("the table has the columns %q, want a third one, shown by", cells)
					}
					continue
				}
				names := code.FindAllStringSubmatch(cells[len(cells)-1], -1)
				if len(cells) != 3 || len(names) == 0 {
					t.Errorf("nothing shows %s", cells[0])
				}
				for _, m := range names {
					if !e.has(m[1]) {
						t.Errorf("there is no test, target or place in the template named %s", m[1])
					}
				}
			}
			if rows < 2 {
				t.Error("the section has no table of claims")
			}
		})
	}
}

func TestThreatModel_Evidence(t *testing.T) {
	t.Parallel()
	e := evidence{
		tests: []string{"TestA", "egress.TestA", "TestNames_Tables"}, targets: []string{"check"},
		template: "Parameters:\n  Limit:\n    Type: Number\n\nResources:\n  Api:\n    Properties:\n      Auth: {}\n\n      Name: a\n  Bus:\n    Properties: {Kind: b}\n",
	}
	for name, want := range map[string]bool{
		"TestA": true, "egress.TestA": true, "TestNames_*": true, "make check": true, "Limit": true, "Api.Auth": true, "Api.Name": true, "Bus.Kind": true,
		"TestB": false, "vault.TestA": false, "TestName": false, "TestOther_*": false, "make nothing": false, "Topic": false, "Api.Kind": false, "Api.Nam": false, "word": false,
	} {
		if e.has(name) != want {
			t.Errorf("%s: %v, want %v", name, !want, want)
		}
	}
}
