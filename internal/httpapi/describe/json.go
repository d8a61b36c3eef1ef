package describe

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v4"
)

// JSON is a YAML document in JSON, its members in the order in which they are
// written and its aliases filled in. An error names the line.
func JSON(document string) ([]byte, error) {
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(document), &root); err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	var w writer
	if err := w.write(&root); err != nil {
		return nil, err
	}
	return w.Bytes(), nil
}

type writer struct{ bytes.Buffer }

func (w *writer) write(n *yaml.Node) error {
	switch n.Kind {
	case yaml.DocumentNode:
		return w.write(n.Content[0])
	case yaml.AliasNode:
		return w.write(n.Alias)
	case yaml.MappingNode:
		return w.object(n)
	case yaml.SequenceNode:
		return w.array(n)
	case yaml.ScalarNode:
		var v any
		if err := n.Decode(&v); err != nil {
			return fmt.Errorf("line %d: %w", n.Line, err)
		}
		return w.value(v)
	}
	return fmt.Errorf("line %d: JSON has nothing for this", n.Line)
}

func (w *writer) object(n *yaml.Node) error {
	w.WriteByte('{')
	for i := 0; i+1 < len(n.Content); i += 2 {
		if i > 0 {
			w.WriteByte(',')
		}
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" {
			return fmt.Errorf("line %d: a member's name must be a string", key.Line)
		}
		if err := w.value(key.Value); err != nil {
			return err
		}
		w.WriteByte(':')
		if err := w.write(n.Content[i+1]); err != nil {
			return err
		}
	}
	w.WriteByte('}')
	return nil
}

func (w *writer) array(n *yaml.Node) error {
	w.WriteByte('[')
	for i, element := range n.Content {
		if i > 0 {
			w.WriteByte(',')
		}
		if err := w.write(element); err != nil {
			return err
		}
	}
	w.WriteByte(']')
	return nil
}

func (w *writer) value(v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("a value that JSON does not have: %w", err)
	}
	w.Truncate(w.Len() - 1) // the encoder's line end
	return nil
}
