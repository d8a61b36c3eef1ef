package database

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/headgate/headgate/internal/apierror"
)

// value is one JSON value. text is a string's characters or a number as it was
// written: 5432 and 5432.0 must stay apart.
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

const (
	kindNull   = jsontext.Kind('n')
	kindFalse  = jsontext.Kind('f')
	kindTrue   = jsontext.Kind('t')
	kindString = jsontext.Kind('"')
	kindNumber = jsontext.Kind('0')
	kindObject = jsontext.Kind('{')
	kindArray  = jsontext.Kind('[')
)

// usualMembers is room for the members of most objects, so that they are not
// moved again and again as more are read. A body of 64 KiB that is nothing but
// objects of one member takes 7 MB with it.
const usualMembers = 8

// member is o's member called name; a null counts as absent.
func (v value) member(name string) (value, bool) {
	for i := range v.members {
		if v.members[i].name == name {
			return v.members[i].value, v.members[i].value.kind != kindNull
		}
	}
	return value{}, false
}

// parseObject reads the one JSON object that body is. Its errors are Malformed
// and say where: a key given twice, trailing data, bytes that are not UTF-8.
func parseObject(body []byte) (value, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return value{}, apierror.New(apierror.Malformed, "the body is empty: send a JSON object", nil)
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	v, err := readValue(dec)
	if err != nil {
		return value{}, malformed(body, err)
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return value{}, apierror.New(apierror.Malformed, "the body has data after the JSON object, at "+position(body, dec.InputOffset()), nil)
	}
	if v.kind != kindObject {
		return value{}, apierror.New(apierror.Malformed, "the body must be a JSON object, not "+kindName(v.kind), nil)
	}
	return v, nil
}

func readValue(dec *jsontext.Decoder) (value, error) {
	tok, err := dec.ReadToken()
	if err != nil {
		return value{}, err
	}
	v := value{kind: tok.Kind()}
	switch v.kind {
	case kindString, kindNumber:
		v.text = tok.String()
	case kindObject:
		for dec.PeekKind() != '}' {
			name, err := dec.ReadToken()
			if err != nil {
				return value{}, err
			}
			m := member{name: name.String()}
			if m.value, err = readValue(dec); err != nil {
				return value{}, err
			}
			if v.members == nil {
				v.members = make([]member, 0, usualMembers)
			}
			v.members = append(v.members, m)
		}
		_, err = dec.ReadToken()
	case kindArray:
		for dec.PeekKind() != ']' {
			e, err := readValue(dec)
			if err != nil {
				return value{}, err
			}
			v.elements = append(v.elements, e)
		}
		_, err = dec.ReadToken()
	}
	return v, err
}

// malformed turns a decoder's error into ours. The decoder's own text can quote
// the body, so only its reason is passed on.
func malformed(body []byte, err error) error {
	syntax, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok {
		return apierror.New(apierror.Malformed, "the body ends before the JSON object does", nil)
	}
	at := position(body, syntax.ByteOffset)
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return apierror.New(apierror.Malformed, fmt.Sprintf("the key %q is given twice, at %s", bounded(syntax.JSONPointer.LastToken()), at), nil)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return apierror.New(apierror.Malformed, "the body ends before the JSON object does, at "+at, nil)
	}
	return apierror.New(apierror.Malformed, fmt.Sprintf("the body is not JSON: %v, at %s", syntax.Err, at), nil)
}

// position is offset as a person finds it in an editor.
func position(body []byte, offset int64) string {
	before := body[:min(max(offset, 0), int64(len(body)))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - (bytes.LastIndexByte(before, '\n') + 1) + 1
	return "line " + strconv.Itoa(line) + ", column " + strconv.Itoa(column)
}

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
	default:
		return "an object"
	}
}

// bounded is s, cut where it is too long to repeat in an answer.
func bounded(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}
