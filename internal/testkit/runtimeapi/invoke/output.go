package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// readableAnswer returns a function's answer as indented JSON with a line end.
// The body of an API Gateway response, which is JSON in a string, is shown as
// JSON. An answer that is not JSON stays as it is.
func readableAnswer(payload []byte) []byte {
	shown := payload
	if response, ok := parseObject(payload); ok && response.has("statusCode") {
		for i, m := range response {
			var body string
			if m.name == "body" && json.Unmarshal(m.value, &body) == nil && json.Valid([]byte(body)) {
				response[i].value = json.RawMessage(body)
			}
		}
		shown = response.encode()
	}
	var text bytes.Buffer
	if json.Indent(&text, shown, "", "  ") != nil {
		text.Reset()
		text.Write(payload)
	}
	text.WriteByte('\n')
	return text.Bytes()
}

// readableLog returns the log without "_aws", the member of a line that declares
// CloudWatch metrics. Lines that are not JSON objects stay as they are.
func readableLog(log string) string {
	var text strings.Builder
	for line := range strings.Lines(log) {
		if entry, ok := parseObject([]byte(line)); ok && entry.has("_aws") {
			entry = slices.DeleteFunc(entry, func(m member) bool { return m.name == "_aws" })
			line = string(entry.encode()) + "\n"
		}
		text.WriteString(line)
	}
	return text.String()
}

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value json.RawMessage
}

func parseObject(text []byte) (object, bool) {
	if !json.Valid(text) {
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, false
	}
	var parsed object
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, false
		}
		m := member{name: name.(string)}
		if err := decoder.Decode(&m.value); err != nil {
			return nil, false
		}
		parsed = append(parsed, m)
	}
	return parsed, true
}

func (o object) has(name string) bool {
	return slices.ContainsFunc(o, func(m member) bool { return m.name == name })
}

func (o object) encode() []byte {
	var text bytes.Buffer
	text.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			text.WriteByte(',')
		}
		name, _ := json.Marshal(m.name) // a string always encodes
		text.Write(name)
		text.WriteByte(':')
		text.Write(m.value)
	}
	text.WriteByte('}')
	return text.Bytes()
}
