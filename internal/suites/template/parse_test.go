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

// template is template.yaml as CloudFormation sees it: aliases and merged keys
// written out, and each short form of a function (!If) in its long one. What
// refers to something is a text, however it is written: a reference is ${Name}, an
// attribute ${Name.Arn}, as in Fn::Sub. (A text that lacks its Fn::Sub looks the
// same here; cfn-lint finds those.)
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
		return template{}, fmt.Errorf("%s is not an object", path)
	}
	return template{root}, nil
}

// plain is a node as maps, lists and strings, all of them its own: what an alias
// stands for is copied. A scalar is its text.
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

// at is what stands under the path in v, nil where nothing does.
func at(v any, path ...string) any {
	for _, name := range path {
		o, _ := v.(object)
		v = o[name]
	}
	return v
}

// textAt is the text of what stands under the path.
func textAt(v any, path ...string) string { return text(at(v, path...)) }

// text is a value as one text, the same for the same value.
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

// list is v as a list: one value counts as a list of it.
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

// properties are those of the resource called name, empty where there is none.
func (t template) properties(name string) object {
	properties, _ := at(t.root, "Resources", name, "Properties").(object)
	return properties
}

// ofType are the names and properties of the resources of a type, by name.
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

// isA says whether the reference v is to a resource of that type.
func (t template) isA(reference, kind string) bool {
	return textAt(t.root, "Resources", named(reference), "Type") == kind
}

// named is the name of the resource in ${Name} or ${Name.Attribute}.
func named(reference string) string {
	name, _, _ := strings.Cut(strings.Trim(reference, "${}"), ".")
	return name
}

// function is a function of the template.
type function struct {
	// name is that of its directory: create-database.
	name string
	// id is what its resource's name begins with: CreateDatabase.
	id         string
	properties object
}

// functions are the template's, each with what Globals say of all.
func (t template) functions() []function {
	var all []function
	for resource, own := range t.ofType("AWS::Serverless::Function") {
		id := strings.TrimSuffix(resource, "Function")
		properties, _ := merged(at(t.root, "Globals", "Function"), own).(object)
		all = append(all, function{name: directory(id), id: id, properties: properties})
	}
	return all
}

// merged is what SAM makes of a global property and a function's own: of objects
// one with the members of both, of anything else the own.
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

// directory is a function's directory: CreateDatabase is create-database.
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

// variables are the names and values of a function's environment.
func (f function) variables() object {
	variables, _ := at(f.properties, "Environment", "Variables").(object)
	return variables
}

// events are the function's, of one type, by name.
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
