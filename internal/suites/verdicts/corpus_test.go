package verdicts_test

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"testing"
)

// corpusLines are scenes that were found to be wrong once, one JSON object a line.
//
//go:embed corpus.jsonl
var corpusLines []byte

// corpus are the scenes that are always judged, where the major has them.
func corpus(t *testing.T, major int) []scene {
	t.Helper()
	var all []scene
	lines := bufio.NewScanner(bytes.NewReader(corpusLines))
	for lines.Scan() {
		if s := parseScene(t, lines.Text()); s.since() <= major {
			all = append(all, s)
		}
	}
	return all
}

func parseScene(t *testing.T, text string) scene {
	t.Helper()
	var s scene
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("read the scene %s: %v", text, err)
	}
	for _, a := range axes() {
		if _, ok := a.find(s.Choices[a.name]); !ok && s.Choices[a.name] != "" {
			t.Fatalf("read the scene %s: %s has no choice %q", text, a.name, s.Choices[a.name])
		}
	}
	for _, name := range s.Tables {
		if _, ok := findKind(name); !ok {
			t.Fatalf("read the scene %s: there is no table %q", text, name)
		}
	}
	return s.normal()
}

// since is the first major that has all of the scene's choices.
func (s scene) since() int {
	first := 0
	for _, a := range axes() {
		c, _ := a.find(s.Choices[a.name])
		first = max(first, c.since)
	}
	for _, name := range s.Tables {
		k, _ := findKind(name)
		first = max(first, k.since)
	}
	return first
}
