package httpapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/httpapi"
	"github.com/headgate/headgate/internal/testkit/localrun"
	"github.com/headgate/headgate/internal/testkit/openapitest"
)

type object = map[string]any

// document returns the OpenAPI document as it is served.
func document(t *testing.T) object {
	t.Helper()
	var d object
	if err := json.Unmarshal(httpapi.OpenAPI(), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// at returns the object at a path of members below o.
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

// follow returns o, or the object that it refers to.
func follow(t *testing.T, d, o object) object {
	t.Helper()
	if ref, ok := o["$ref"].(string); ok {
		return at(t, d, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	}
	return o
}

func TestOpenAPI_Valid(t *testing.T) {
	t.Parallel()
	if _, err := openapitest.New(); err != nil {
		t.Error(err)
	}
	program, err := openapitest.SpecValidator(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := localrun.Run(t.Context(), exec.Command(program, "openapi.json")); err != nil {
		t.Error(err)
	}
}

var update = flag.Bool("update", false, "write openapi.json")

func TestOpenAPI_JSON(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, err := openapitest.JSON(withFindingCodes(t, source))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(httpapi.OpenAPI(), want) {
		t.Error("openapi.json is not what openapi.yaml generates: run `make openapi`")
	}
}

// withFindingCodes fills the codes of the table in where the document asks for them.
func withFindingCodes(t *testing.T, document []byte) []byte {
	t.Helper()
	const place = "examples: [] # make openapi fills in the codes of internal/check"
	if bytes.Count(document, []byte(place)) != 1 {
		t.Fatal("openapi.yaml has no place for the codes of findings")
	}
	var codes []string
	for _, c := range check.Table() {
		for _, definition := range c.Codes {
			codes = append(codes, string(definition.Code))
		}
	}
	return bytes.Replace(document, []byte(place), []byte("examples: ["+strings.Join(codes, ", ")+"]"), 1)
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	contract, err := openapitest.New()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, scheme, domain, path, server string }{
		{"the default endpoint, which has the stage", "https", "abc.execute-api.eu-west-1.amazonaws.com", "/v1/api/openapi.json", "https://abc.execute-api.eu-west-1.amazonaws.com/v1"},
		{"a trailing slash", "https", "abc.execute-api.eu-west-1.amazonaws.com", "/v1/api/openapi.json/", "https://abc.execute-api.eu-west-1.amazonaws.com/v1"},
		{"a custom domain", "https", "headgate.example.com", "/api/openapi.json", "https://headgate.example.com"},
		{"the development server", "http", "localhost:8081", "/api/openapi.json", "http://localhost:8081"},
		{"an event without a domain", "https", "", "/api/openapi.json", "http://127.0.0.1:8080"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := httpapi.Handler{
				Endpoints: map[httpapi.Operation]httpapi.Endpoint{httpapi.DescribeAPI: httpapi.Describe(tt.scheme)},
				Log:       slog.New(slog.DiscardHandler), Now: now,
			}
			e := events.APIGatewayProxyRequest{HTTPMethod: http.MethodGet, Path: "/api/openapi.json"}
			e.RequestContext.RequestID, e.RequestContext.DomainName, e.RequestContext.Path = "r", tt.domain, tt.path
			answer, err := h.Handle(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			contract.Event(t, e, answer)
			var got object
			if err := json.Unmarshal([]byte(answer.Body), &got); err != nil || answer.StatusCode != http.StatusOK {
				t.Fatalf("%d %.100s (%v)", answer.StatusCode, answer.Body, err)
			}
			want := document(t)
			at(t, object{"server": list(want["servers"])[0]}, "server")["url"] = tt.server
			if !reflect.DeepEqual(got, want) {
				t.Errorf("servers %v, want the document with %s", got["servers"], tt.server)
			}
		})
	}
}

func TestOpenAPI_Codes(t *testing.T) {
	t.Parallel()
	d := document(t)
	schema := func(name string) object { return at(t, d, "components", "schemas", name) }
	t.Run("errors have the codes of apierror", func(t *testing.T) {
		t.Parallel()
		got := slices.Concat(
			texts(at(t, schema("Invalid"), "properties", "code")["examples"]),
			texts(at(t, schema("KeyConflict"), "properties", "code")["enum"]),
			texts(at(t, schema("VersionConflict"), "properties", "code")["enum"]))
		sameCodes(t, "errors", got, codeConstants(t, "../apierror/error.go"))
	})
}

func sameCodes(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(want) == 0 {
		t.Fatalf("%s: the code has no codes", what)
	}
	for _, code := range got {
		if !slices.Contains(want, code) {
			t.Errorf("%s: the code does not have the document's %s", what, code)
		}
	}
	for _, code := range want {
		if !slices.Contains(got, code) {
			t.Errorf("%s: the document does not have %s", what, code)
		}
	}
}

// texts returns the strings of an array.
func texts(v any) []string {
	var out []string
	for _, one := range list(v) {
		out = append(out, one.(string))
	}
	return out
}

// list returns v as an array, nil where it is absent.
func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// codeConstants returns the values of the constants of type Code in a file.
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

func TestOpenAPI_Checks(t *testing.T) {
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

// internal/suites/template compares the template's routes.
func TestOpenAPI_Routes(t *testing.T) {
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
			if id == "patch-database" { // each operation needs an ID of its own
				id = string(httpapi.UpdateDatabase)
			}
			routes[route{method, path, id}] = true
		}
	}
	return routes
}

func TestOpenAPI_QueryParameters(t *testing.T) {
	t.Parallel()
	d := document(t)
	for _, r := range httpapi.Routes() {
		item := at(t, d, "paths", r.Path)
		operation := at(t, item, strings.ToLower(r.Method))
		var names []string
		for _, p := range slices.Concat(list(item["parameters"]), list(operation["parameters"])) {
			if parameter := follow(t, d, p.(object)); parameter["in"] == "query" {
				names = append(names, parameter["name"].(string))
			}
		}
		slices.Sort(names)
		if want := slices.Sorted(slices.Values(r.Query)); !slices.Equal(names, want) {
			t.Errorf("%s %s: the document has %q, the code %q", r.Method, r.Path, names, want)
		}
	}
}

func TestOpenAPI_Statuses(t *testing.T) {
	t.Parallel()
	d := document(t)
	for _, r := range httpapi.Routes() {
		want := []string{"400", "413", "415", "422", "429", "500", "504"} // without a look at the route's endpoint
		if !r.Public {
			want = append(want, "401", "403", "503")
		}
		responses := at(t, d, "paths", r.Path, strings.ToLower(r.Method), "responses")
		for _, status := range want {
			if responses[status] == nil {
				t.Errorf("%s %s: the document does not have %s", r.Method, r.Path, status)
			}
		}
	}
}

func TestOpenAPI_Summaries(t *testing.T) {
	t.Parallel()
	responses := at(t, document(t), "components", "responses")
	for _, tt := range []struct {
		response, example string
		kind              apierror.Kind
	}{
		{"Throttled", "throttled", apierror.Throttled},
		{"Unavailable", "unavailable", apierror.Unavailable},
		{"Timeout", "timeout", apierror.UnknownOutcome},
		{"Defect", "defect", apierror.Internal},
	} {
		answer, _ := handle(t, failing(apierror.New(tt.kind, "s", nil)), event(func(*events.APIGatewayProxyRequest) {}))
		value := at(t, responses, tt.response, "content", "application/json", "examples", tt.example, "value")
		want, err := json.Marshal(value)
		if err != nil || answer.Body != string(want) {
			t.Errorf("%s: the document has %s, the code %s (%v)", tt.response, want, answer.Body, err)
		}
	}
}

func TestOpenAPI_Examples(t *testing.T) {
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

// eachExample calls parse with each example of an operation's request body.
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
