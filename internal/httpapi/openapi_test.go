package httpapi_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os/exec"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/httpapi"
	"github.com/headgate/headgate/internal/httpapi/describe"
	"github.com/headgate/headgate/internal/testkit/localrun"
	"github.com/headgate/headgate/internal/testkit/openapitest"
)

type object = map[string]any

// document is the OpenAPI document as it is served.
func document(t *testing.T) object {
	t.Helper()
	served, err := describe.JSON(httpapi.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	var d object
	if err := json.Unmarshal(served, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// at is the object at a path of members, below o.
func at(t *testing.T, o object, path ...string) object {
	t.Helper()
	for _, name := range path {
		inner, ok := o[name].(object)
		if !ok {
			t.Fatalf("there is no object %s", strings.Join(path, "/"))
		}
		o = inner
	}
	return o
}

// follow is o, or what it refers to.
func follow(t *testing.T, d, o object) object {
	t.Helper()
	if ref, ok := o["$ref"].(string); ok {
		return at(t, d, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	}
	return o
}

func TestTheDocumentIsOpenAPI(t *testing.T) {
	t.Parallel()
	if _, err := openapitest.New(); err != nil {
		t.Error(err)
	}
	program, err := openapitest.SpecValidator(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := localrun.Run(t.Context(), exec.Command(program, "openapi.yaml")); err != nil {
		t.Error(err)
	}
}

func TestTheDocumentHasTheCodesOfTheCode(t *testing.T) {
	t.Parallel()
	want := map[string]bool{}
	for _, file := range []string{"../check/codes.go", "../apierror/error.go"} {
		for _, code := range codeConstants(t, file) {
			want[code] = true
		}
	}
	if len(want) < 50 {
		t.Fatalf("only %d codes were found in the code", len(want))
	}
	got := map[string]bool{}
	for name, schema := range at(t, document(t), "components", "schemas") {
		if s, ok := schema.(object); ok {
			collectCodes(name, s, got)
		}
	}
	for code := range want {
		if !got[code] {
			t.Errorf("the document does not have the code %s", code)
		}
	}
	for code := range got {
		if !want[code] {
			t.Errorf("the code does not have the document's %s", code)
		}
	}
}

// codeConstants are the values of a file's constants of the type Code.
func codeConstants(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !isCode(spec.Type) {
			return true
		}
		for _, v := range spec.Values {
			literal, ok := v.(*ast.BasicLit)
			if !ok {
				t.Fatalf("%s: a code that is not written out", file)
			}
			code, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, code)
		}
		return true
	})
	return codes
}

func isCode(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "Code"
	case *ast.SelectorExpr:
		return e.Sel.Name == "Code"
	}
	return false
}

// collectCodes adds the values of a schema that is one of codes by its name, and
// of members called code.
func collectCodes(name string, schema object, codes map[string]bool) {
	isCodes := name == "code"
	for _, suffix := range []string{"Failure", "Warning", "Code"} {
		isCodes = isCodes || strings.HasSuffix(name, suffix)
	}
	if values, ok := schema["enum"].([]any); ok && isCodes {
		for _, v := range values {
			if code, ok := v.(string); ok {
				codes[code] = true
			}
		}
	}
	if properties, ok := schema["properties"].(object); ok {
		if code, ok := properties["code"].(object); ok {
			collectCodes("code", code, codes)
		}
	}
}

func TestTheDocumentHasTheChecksInOrder(t *testing.T) {
	t.Parallel()
	var want []any
	for _, name := range check.Names() {
		want = append(want, name)
	}
	if got := at(t, document(t), "components", "schemas", "CheckName")["enum"]; !reflect.DeepEqual(got, want) {
		t.Errorf("the document has the checks %v, the code %v", got, want)
	}
}

// route is one method of one path, and the function that answers it.
type route struct{ method, path, function string }

// That the template has these routes too is for internal/template to find out.
func TestCodeAndDocumentHaveTheSameRoutes(t *testing.T) {
	t.Parallel()
	want := map[route]bool{}
	for _, r := range httpapi.Routes() {
		want[route{strings.ToLower(r.Method), r.Path, string(r.Operation)}] = true
	}
	got := documentRoutes(t)
	for r := range want {
		if !got[r] {
			t.Errorf("the document does not have the code's %v", r)
		}
	}
	for r := range got {
		if !want[r] {
			t.Errorf("the code does not have %v, which the document has", r)
		}
	}
}

func documentRoutes(t *testing.T) map[route]bool {
	t.Helper()
	routes := map[route]bool{}
	for path, item := range at(t, document(t), "paths") {
		for method, operation := range item.(object) {
			if method == "parameters" {
				continue
			}
			id, _ := operation.(object)["operationId"].(string)
			if id == "patch-database" { // an ID may be there only once
				id = string(httpapi.UpdateDatabase)
			}
			routes[route{method, path, id}] = true
		}
	}
	return routes
}

func TestTheExamplesAreGoodPayloads(t *testing.T) {
	t.Parallel()
	d := document(t)
	path := at(t, d, "paths", "/api/postgres_databases", "post")
	parse := func(body []byte) error {
		_, err := database.ParsePayload(body)
		return err
	}
	eachExample(t, d, path, parse)
	path = at(t, d, "paths", "/api/postgres_databases/{id_or_name}", "patch")
	eachExample(t, d, path, func(body []byte) error {
		_, err := database.ParsePatch(body)
		return err
	})
}

// eachExample gives the examples of an operation's body to parse.
func eachExample(t *testing.T, d, operation object, parse func([]byte) error) {
	t.Helper()
	examples := at(t, operation, "requestBody", "content", "application/json", "examples")
	for _, name := range slices.Sorted(maps.Keys(examples)) {
		body, err := json.Marshal(follow(t, d, examples[name].(object))["value"])
		if err = errors.Join(err, parse(body)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(examples) < 3 {
		t.Errorf("only %d examples", len(examples))
	}
}
