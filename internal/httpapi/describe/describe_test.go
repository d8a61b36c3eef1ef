package describe_test

import (
	"encoding/json"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"go.yaml.in/yaml/v4"

	"github.com/headgate/headgate/internal/httpapi"
	"github.com/headgate/headgate/internal/httpapi/describe"
	"github.com/headgate/headgate/internal/testkit/openapitest"
)

func TestTheDocumentIsServedWithoutAKey(t *testing.T) {
	t.Parallel()
	contract, err := openapitest.New()
	if err != nil {
		t.Fatal(err)
	}
	h := httpapi.Handler{
		Endpoints: map[httpapi.Operation]httpapi.Endpoint{httpapi.DescribeAPI: describe.Endpoint()},
		Log:       slog.New(slog.DiscardHandler), Now: time.Now,
	}
	first := ""
	for range 2 {
		e := events.APIGatewayProxyRequest{HTTPMethod: "GET", Path: "/api/openapi.json"}
		answer, err := h.Handle(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		contract.Event(t, e, answer)
		if answer.StatusCode != 200 || first != "" && answer.Body != first {
			t.Errorf("%d %.100s", answer.StatusCode, answer.Body)
		}
		first = answer.Body
	}
	var served, written any
	if err := json.Unmarshal([]byte(first), &served); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(httpapi.OpenAPI()), &written); err != nil {
		t.Fatal(err)
	}
	// Through JSON, where all numbers are of one type.
	text, err := json.Marshal(written)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &written); err != nil || !reflect.DeepEqual(served, written) {
		t.Errorf("what is served is not what is written (%v)", err)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, yaml, json, says string }{
		{"the order of members", "b: 1\na: 2\n", `{"b":1,"a":2}`, ""},
		{"all types", "[s, '1', 1, 1.5, true, null, {}, []]", `["s","1",1,1.5,true,null,{},[]]`, ""},
		{"a version is text", "v: 3.1.0", `{"v":"3.1.0"}`, ""},
		{"aliases", "a: &a {x: [1]}\nb: *a\n", `{"a":{"x":[1]},"b":{"x":[1]}}`, ""},
		{"signs that HTML has", "a: <b> & c", `{"a":"<b> & c"}`, ""},
		{"text over lines", "a: |\n  b\n  c\n", `{"a":"b\nc\n"}`, ""},
		{"a name that is no string", "200: a", "", "line 1"},
		{"a merge", "a: &a {x: 1}\nb:\n  <<: *a\n", "", "line 3"},
		{"a number that JSON does not have", "[.inf]", "", "JSON"},
		{"no YAML", "a: [", "", "reading"},
		{"nothing", "", "", "JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := describe.JSON(tt.yaml)
			if (err != nil) != (tt.says != "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want one with %q", err, tt.says)
			}
			if string(got) != tt.json {
				t.Errorf("got %s, want %s", got, tt.json)
			}
		})
	}
}
