package changes_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const schemas = "../../../events/schemas"

// schema returns the schema of a detail-type. It is stricter than for consumers: a
// member that it does not list is an error, so that nothing is published that the schemas
// do not tell of.
func schema(t *testing.T, detailType string) *jsonschema.Schema {
	t.Helper()
	name := strings.ToLower(strings.ReplaceAll(detailType, " ", "-")) + ".json"
	file, err := os.Open(filepath.Join(schemas, name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	document, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	closeObjects(document)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, document); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// closeObjects forbids members that an object's schema does not list.
func closeObjects(v any) {
	switch v := v.(type) {
	case map[string]any:
		if properties, ok := v["properties"].(map[string]any); ok && v["type"] == "object" && len(properties) > 0 {
			v["additionalProperties"] = false
		}
		for _, member := range v {
			closeObjects(member)
		}
	case []any:
		for _, item := range v {
			closeObjects(item)
		}
	}
}

// wantValid fails the test unless the event is as its schema says.
func wantValid(t *testing.T, e entry) {
	t.Helper()
	detail, err := jsonschema.UnmarshalJSON(strings.NewReader(e.Detail))
	if err != nil {
		t.Fatal(err)
	}
	// As EventBridge delivers it.
	event := map[string]any{
		"version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "detail-type": e.DetailType, "source": e.Source,
		"account": "123456789012", "time": "2030-01-01T00:00:00Z", "region": "eu-west-1", "resources": []any{}, "detail": detail,
	}
	if err := schema(t, e.DetailType).Validate(event); err != nil {
		t.Errorf("%s: %v\n%s", e.DetailType, err, e.Detail)
	}
}

func TestSchemas_Samples(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../events/provision-database.json")
	if err != nil {
		t.Fatal(err)
	}
	event, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	requested := schema(t, "Postgres Database Requested")
	if err := requested.Validate(event); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"password", "url", "anything"} {
		detail := event.(map[string]any)["detail"].(map[string]any)
		detail[name] = "x"
		if err := requested.Validate(event); err == nil {
			t.Errorf("%s is valid", name)
		}
		delete(detail, name)
	}
}
