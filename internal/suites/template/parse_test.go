package template_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

type object = map[string]any

// template is template.yaml with aliases and merge keys expanded, and with each
// intrinsic function in its long form (Fn::If for !If). References are strings as in
// Fn::Sub, however they are written: ${Name}, or ${Name.Arn} for an attribute. (A
// string that lacks its Fn::Sub looks the same here; cfn-lint finds those.)
type template struct{ root object }

func readTemplate(path string) (template, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return template{}, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return template{}, err
	}
	root, ok := plain(document.Content[0]).(object)
	if !ok {
		return template{}, fmt.Errorf("read template: %s is not an object", path)
	}
	return template{root}, nil
}

// plain converts a node to objects, lists and strings. Each use of an alias is a
// copy of its own. A scalar becomes its text.
func plain(n *yaml.Node) any {
	if n.Kind == yaml.AliasNode {
		return plain(n.Alias)
	}
	value := untagged(n)
	function, short := strings.CutPrefix(n.Tag, "!")
	content, isText := value.(string)
	switch {
	case !short || strings.HasPrefix(function, "!"):
		return value
	case (function == "Ref" || function == "GetAtt") && isText:
		return "${" + content + "}"
	case function == "Sub":
		return substituted(value)
	}
	return object{"Fn::" + function: value}
}

// substituted returns the text of a Fn::Sub, whose argument is the text, or a list
// of the text and the values of some of its variables.
func substituted(argument any) any {
	parts, ok := argument.([]any)
	if !ok {
		return argument
	}
	result := text(parts[0])
	for name, value := range parts[1].(object) {
		result = strings.ReplaceAll(result, "${"+name+"}", text(value))
	}
	return result
}

func untagged(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		return members(n)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = plain(item)
		}
		return list
	default:
		return n.Value
	}
}

func members(n *yaml.Node) object {
	o := object{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], plain(n.Content[i+1])
		if key.Value != "<<" {
			o[key.Value] = value
			continue
		}
		for _, merged := range list(value) {
			for name, member := range merged.(object) {
				if _, own := o[name]; !own {
					o[name] = member
				}
			}
		}
	}
	return o
}

// at returns the value at the path in v, or nil if there is none.
func at(v any, path ...string) any {
	for _, name := range path {
		o, _ := v.(object)
		v = o[name]
	}
	return v
}

// textAt returns the value at the path in v as text.
func textAt(v any, path ...string) string { return text(at(v, path...)) }

// text returns a string as it is, nil as "", and another value as JSON.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	encoded, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(encoded)
}

// list returns v as a list: a value that is not a list is its only item.
func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

func texts(v any) []string {
	var all []string
	for _, item := range list(v) {
		all = append(all, text(item))
	}
	return all
}

// properties returns the properties of the resource, or nil if it has none.
func (t template) properties(name string) object {
	properties, _ := at(t.root, "Resources", name, "Properties").(object)
	return properties
}

// ofType iterates over the resources of a type and their properties, by name.
func (t template) ofType(kind string) iter.Seq2[string, object] {
	return func(yield func(string, object) bool) {
		resources, _ := t.root["Resources"].(object)
		for _, name := range slices.Sorted(maps.Keys(resources)) {
			if textAt(resources[name], "Type") == kind && !yield(name, t.properties(name)) {
				return
			}
		}
	}
}

// isA reports whether the reference is to a resource of the type.
func (t template) isA(reference, kind string) bool {
	return textAt(t.root, "Resources", named(reference), "Type") == kind
}

// named returns the name of the resource in ${Name} or ${Name.Attribute}.
func named(reference string) string {
	name, _, _ := strings.Cut(strings.Trim(reference, "${}"), ".")
	return name
}

// function is a function of the template.
type function struct {
	// name is the name of its directory: create-database.
	name string
	// id is its logical ID without "Function": CreateDatabase.
	id         string
	properties object
}

// functions returns the functions of the template, each merged with Globals.
func (t template) functions() []function {
	var all []function
	for resource, own := range t.ofType("AWS::Serverless::Function") {
		id := strings.TrimSuffix(resource, "Function")
		properties, _ := merged(at(t.root, "Globals", "Function"), own).(object)
		all = append(all, function{name: directory(id), id: id, properties: properties})
	}
	return all
}

// merged merges a global value with a function's own, as SAM does: objects member
// by member, otherwise the function's own value wins.
func merged(global, own any) any {
	g, globalObject := global.(object)
	o, ownObject := own.(object)
	switch {
	case own == nil:
		return global
	case !globalObject || !ownObject:
		return own
	}
	both := maps.Clone(o)
	for name, member := range g {
		both[name] = merged(member, o[name])
	}
	return both
}

// directory returns the name of a function's directory: create-database for
// CreateDatabase.
func directory(id string) string {
	var b strings.Builder
	for i, c := range id {
		if i > 0 && c >= 'A' && c <= 'Z' {
			b.WriteByte('-')
		}
		b.WriteRune(c)
	}
	return strings.ToLower(b.String())
}

// variables returns the environment variables of a function.
func (f function) variables() object {
	variables, _ := at(f.properties, "Environment", "Variables").(object)
	return variables
}

// events iterates over the function's events of a type, by name.
func (f function) events(kind string) iter.Seq2[string, object] {
	return func(yield func(string, object) bool) {
		events, _ := f.properties["Events"].(object)
		for _, name := range slices.Sorted(maps.Keys(events)) {
			properties, _ := at(events[name], "Properties").(object)
			if textAt(events[name], "Type") == kind && !yield(name, properties) {
				return
			}
		}
	}
}
