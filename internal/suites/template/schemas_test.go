package template_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the schemas of events/schemas into template.yaml")

// fileOf returns the name of the file in events/schemas that has this schema, empty if
// the text is no schema.
func fileOf(schema string) string {
	var titled struct{ Title string }
	if json.Unmarshal([]byte(schema), &titled) != nil || titled.Title == "" {
		return ""
	}
	return strings.ToLower(strings.ReplaceAll(titled.Title, " ", "-")) + ".json"
}

// compactFile returns a schema of events/schemas as the template has it.
func compactFile(name string) (string, error) {
	content, err := os.ReadFile(filepath.Join(root, "events/schemas", name))
	if err != nil {
		return "", err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, content); err != nil {
		return "", fmt.Errorf("read schema %s: %w", name, err)
	}
	if strings.Contains(compact.String(), "'") {
		return "", fmt.Errorf("read schema %s: it has an apostrophe, which the template can't quote", name)
	}
	return compact.String(), nil
}

// checkSchemas checks that each file of events/schemas is registered, and nothing else.
func checkSchemas(t template, _ map[string]program) []string {
	files, err := filepath.Glob(filepath.Join(root, "events/schemas/*.json"))
	if err != nil {
		return []string{err.Error()}
	}
	registered := map[string]string{}
	for _, schema := range t.ofType("AWS::EventSchemas::Schema") {
		content := textAt(schema, "Content")
		registered[fileOf(content)] = content
	}
	var found []string
	for _, file := range files {
		name := filepath.Base(file)
		content, err := compactFile(name)
		switch {
		case err != nil:
			found = append(found, err.Error())
		case registered[name] != content:
			found = append(found, fmt.Sprintf("events/schemas/%s is not registered as it is: run `make schemas`", name))
		}
		delete(registered, name)
	}
	for name := range registered {
		found = append(found, fmt.Sprintf("the schema %s is not in events/schemas", name))
	}
	slices.Sort(found)
	return found
}

// TestTemplate_UpdateSchemas writes the schemas into the template with -update. It is not
// parallel, because other tests read the template.
func TestTemplate_UpdateSchemas(t *testing.T) {
	if !*update {
		return
	}
	path := root + "/template.yaml"
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const before = "      Content: '"
	lines := strings.Split(string(content), "\n")
	for i, line := range lines {
		old, ok := strings.CutPrefix(line, before)
		if !ok {
			continue
		}
		compact, err := compactFile(fileOf(strings.TrimSuffix(old, "'")))
		if err != nil {
			t.Fatal(err)
		}
		lines[i] = before + compact + "'"
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

func schemaMutations() map[string]mutation {
	return map[string]mutation{
		"a schema is not registered": {func(t template) {
			t.remove("CreatedEventSchema")
		}, []string{"events/schemas/postgres-database-created.json is not registered as it is: run `make schemas`"}},
		"a schema is not that of the repository": {func(t template) {
			schema := t.properties("DeletedEventSchema")
			schema["Content"] = strings.Replace(textAt(schema, "Content"), `"id"`, `"ID"`, 1)
		}, []string{"events/schemas/postgres-database-deleted.json is not registered as it is: run `make schemas`"}},
		"a schema is registered that is not in the repository": {func(t template) {
			t.add("OldEventSchema", "AWS::EventSchemas::Schema", object{"Content": `{"title":"Old"}`})
		}, []string{"the schema old.json is not in events/schemas"}},
	}
}
