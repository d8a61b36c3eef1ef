package check_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/check"
)

func TestTable(t *testing.T) {
	t.Parallel()
	var checks []string
	var codes []check.Code
	for _, c := range check.Table() {
		checks = append(checks, c.Name)
		isSentence(t, c.Name, c.About)
		for _, d := range c.Codes {
			codes = append(codes, d.Code)
			if d.Status != check.Failed && d.Status != check.Warned {
				t.Errorf("%s has the status %q, want failed or warning", d.Code, d.Status)
			}
			for _, text := range []string{d.Meaning, d.Cause, d.Fix} {
				isSentence(t, string(d.Code), text)
			}
		}
	}
	t.Run("has every check in order", func(t *testing.T) {
		t.Parallel()
		if want := append(check.Names(), check.Any); !slices.Equal(checks, want) {
			t.Errorf("got %v, want %v", checks, want)
		}
	})
	t.Run("has every constant once", func(t *testing.T) {
		t.Parallel()
		want := constants(t)
		slices.Sort(want)
		slices.Sort(codes)
		if !slices.Equal(codes, want) {
			t.Errorf("the table has %v, the constants are %v", codes, want)
		}
	})
}

func isSentence(t *testing.T, of, text string) {
	t.Helper()
	if len(text) < 10 || !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "`") {
		t.Errorf("%s: %q is not a sentence", of, text)
	}
}

// constants returns the values of the package's constants of type Code.
func constants(t *testing.T) []check.Code {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var codes []check.Code
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "Code" {
				return true
			}
			for _, v := range spec.Values {
				code, err := strconv.Unquote(v.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				codes = append(codes, check.Code(code))
			}
			return true
		})
	}
	return codes
}
