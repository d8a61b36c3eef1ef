package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/headgate/headgate/internal/apierror"
)

// Parse reads the JSON object in text; its getters add what they find wrong to
// faults. The error's kind is Malformed. Its summary says where the fault is, and
// repeats of the text only a key that is given twice. The caller limits
// the length of text.
func Parse(text []byte, faults apierror.FieldErrors) (Object, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return Object{}, apierror.New(apierror.Malformed, "the body is empty: send a JSON object", nil)
	}
	d := decoder{jsontext.NewDecoder(bytes.NewBuffer(text)), string(text)}
	v, err := d.value()
	if err != nil {
		return Object{}, malformed(text, err, d.StackDepth())
	}
	if rest := bytes.TrimLeft(text[d.InputOffset():], " \t\r\n"); len(rest) > 0 {
		at := position(text, int64(len(text)-len(rest)))
		return Object{}, apierror.New(apierror.Malformed, "the body has data after the JSON object, at "+at, nil)
	}
	if v.kind != kindObject {
		return Object{}, apierror.New(apierror.Malformed, "the body must be a JSON object, not "+kindName(v.kind), nil)
	}
	return newObject("", v, faults), nil
}

// value is a JSON value. Its text is the part of the body that it was sent as.
type value struct {
	kind     jsontext.Kind
	text     string
	members  []member
	elements []value
}

type member struct {
	name  string
	value value
}

// decoder decodes text. Every text that it returns is a part of text, which saves
// the allocations of copies.
type decoder struct {
	*jsontext.Decoder
	text string
}

func (d decoder) value() (value, error) {
	switch d.PeekKind() {
	case kindObject:
		return d.object()
	case kindArray:
		return d.array()
	}
	raw, err := d.ReadValue()
	if err != nil {
		return value{}, err
	}
	end := d.InputOffset()
	return value{kind: raw.Kind(), text: d.text[end-int64(len(raw)) : end]}, nil
}

func (d decoder) object() (value, error) {
	if _, err := d.ReadToken(); err != nil {
		return value{}, err
	}
	start := d.InputOffset() - 1
	v := value{kind: kindObject}
	if d.StackDepth() == 1 {
		const usual = 16 // saves the allocations of growing
		v.members = make([]member, 0, usual)
	}
	for d.PeekKind() != '}' {
		name, err := d.value()
		if err != nil {
			return value{}, err
		}
		m := member{name: unquote(name.text)}
		if m.value, err = d.value(); err != nil {
			return value{}, err
		}
		v.members = append(v.members, m)
	}
	_, err := d.ReadToken()
	v.text = d.text[start:d.InputOffset()]
	return v, err
}

func (d decoder) array() (value, error) {
	if _, err := d.ReadToken(); err != nil {
		return value{}, err
	}
	start := d.InputOffset() - 1
	v := value{kind: kindArray}
	for d.PeekKind() != ']' {
		e, err := d.value()
		if err != nil {
			return value{}, err
		}
		v.elements = append(v.elements, e)
	}
	_, err := d.ReadToken()
	v.text = d.text[start:d.InputOffset()]
	return v, err
}

// unquote returns the characters of a valid JSON string.
func unquote(text string) string {
	if inner := text[1 : len(text)-1]; strings.IndexByte(inner, '\\') < 0 {
		return inner
	}
	characters, _ := jsontext.AppendUnquote(nil, text) // the decoder has validated text
	return string(characters)
}

// The kinds of JSON values, as jsontext names them.
const (
	kindNull   = jsontext.Kind('n')
	kindFalse  = jsontext.Kind('f')
	kindTrue   = jsontext.Kind('t')
	kindString = jsontext.Kind('"')
	kindNumber = jsontext.Kind('0')
	kindObject = jsontext.Kind('{')
	kindArray  = jsontext.Kind('[')
)

func kindName(k jsontext.Kind) string {
	switch k {
	case kindNull:
		return "null"
	case kindFalse, kindTrue:
		return "a boolean"
	case kindString:
		return "a string"
	case kindNumber:
		return "a number"
	case kindArray:
		return "an array"
	}
	return "an object"
}

// malformed returns our error for one of the decoder at that depth, whose text may quote
// the body.
func malformed(text []byte, err error, depth int) error {
	const maxDepth = 10_000 // the decoder's
	syntax, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok {
		return apierror.New(apierror.Malformed, "the body ends before the JSON object does", nil)
	}
	at := position(text, syntax.ByteOffset)
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		key := Bounded(syntax.JSONPointer.LastToken())
		return apierror.New(apierror.Malformed, fmt.Sprintf("the key %q is given twice, at %s", key, at), nil)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return apierror.New(apierror.Malformed, "the body ends before the JSON object does, at "+at, nil)
	case depth >= maxDepth:
		return apierror.New(apierror.Malformed, "the body is nested deeper than 10,000 levels, at "+at, nil)
	}
	return apierror.New(apierror.Malformed, "the body is not JSON, at "+at, nil)
}

// position returns the line and the column of an offset, both from 1. A column
// is a byte.
func position(text []byte, offset int64) string {
	before := text[:min(max(offset, 0), int64(len(text)))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Sprintf("line %d, column %d", line, column)
}

// Bounded returns s as a message repeats it: shortened where it is too long, and with
// U+FFFD for each character that a terminal or a reader could take for something else.
func Bounded(s string) string {
	const maxBytes = 64
	cut := ""
	if len(s) > maxBytes {
		end := maxBytes
		for end > 0 && s[end]&0xC0 == 0x80 { // within a character
			end--
		}
		s, cut = s[:end], "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s) + cut
}
