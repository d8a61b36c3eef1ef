package openapitest

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v4"
)

// JSON translates a YAML document into JSON, with its members in the same order
// and its aliases expanded. The error names the line of what JSON does not have.
// Libraries that do this sort the members, which readers of an API's description
// would notice.
func JSON(document []byte) ([]byte, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(document, &root); err != nil {
		return nil, fmt.Errorf("parse YAML: %w", err)
	}
	var out bytes.Buffer
	if err := encode(jsontext.NewEncoder(&out, jsontext.WithIndent("  ")), &root); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func encode(e *jsontext.Encoder, n *yaml.Node) error {
	switch n.Kind {
	case yaml.DocumentNode:
		return encode(e, n.Content[0])
	case yaml.AliasNode:
		return encode(e, n.Alias)
	case yaml.MappingNode:
		return collection(e, n, jsontext.BeginObject, jsontext.EndObject)
	case yaml.SequenceNode:
		return collection(e, n, jsontext.BeginArray, jsontext.EndArray)
	case yaml.ScalarNode:
		return scalar(e, n)
	}
	return fmt.Errorf("line %d: JSON has no such node", n.Line)
}

func collection(e *jsontext.Encoder, n *yaml.Node, begin, end jsontext.Token) error {
	if err := e.WriteToken(begin); err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	for _, inner := range n.Content {
		if err := encode(e, inner); err != nil {
			return err
		}
	}
	return e.WriteToken(end)
}

// scalar writes a value or a member's name. The encoder rejects names that are not
// strings.
func scalar(e *jsontext.Encoder, n *yaml.Node) error {
	if n.ShortTag() == "!!merge" {
		return fmt.Errorf("line %d: merge keys are not supported", n.Line)
	}
	var v any
	err := n.Decode(&v)
	var text []byte
	if err == nil {
		text, err = json.Marshal(v)
	}
	if err == nil {
		err = e.WriteValue(text)
	}
	if err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	return nil
}
