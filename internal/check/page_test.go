package check_test

import (
	"bytes"
	_ "embed"
	"flag"
	"os"
	"strings"
	"testing"
	"text/template"

	"github.com/headgate/headgate/internal/check"
)

const page = "../../docs/checks.md"

var update = flag.Bool("update", false, "write docs/checks.md")

//go:embed testdata/checks.md.tmpl
var pageTemplate string

func TestPage(t *testing.T) {
	t.Parallel()
	t.Run("docs/checks.md is what the table generates", func(t *testing.T) {
		t.Parallel()
		want := render(t)
		if *update {
			if err := os.WriteFile(page, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Error("docs/checks.md differs from the table: run `make docs`")
		}
	})
}

func render(t *testing.T) []byte {
	t.Helper()
	tmpl, err := template.New("").Funcs(template.FuncMap{"links": links}).Parse(pageTemplate)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := tmpl.Execute(&out, check.Table()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// links returns the codes of c that have status s, as links to their sections.
func links(c check.Check, s check.Status) string {
	var all []string
	for _, d := range c.Codes {
		if d.Status == s {
			all = append(all, "[`"+string(d.Code)+"`](#"+string(d.Code)+")")
		}
	}
	return strings.Join(all, ", ")
}
