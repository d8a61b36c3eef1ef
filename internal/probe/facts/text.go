package facts

import (
	"errors"
	"reflect"
	"strconv"
)

// The limits of one answer, whatever its facts are. Names in PostgreSQL have at most 63
// bytes, in the server's encoding; forks have longer ones.
const (
	maxName = 512
	maxList = 100
)

var errBounds = errors.New("check answer: a fact is larger than it can be")

// Check returns an error if a fact is larger than a server that answers honestly makes
// it.
func (f *Facts) Check() error { return check(f) }

// Check is Facts.Check for a remedy.
func (r *Remedy) Check() error { return check(r) }

// Check is Facts.Check for candidates.
func (c *Candidates) Check() error { return check(c) }

// Check is Facts.Check for blockers.
func (b *Blockers) Check() error { return check(b) }

func check(v any) error {
	ok := true
	walk(reflect.ValueOf(v), func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			ok = ok && v.Len() <= maxName
		case reflect.Slice:
			ok = ok && v.Len() <= maxList
		case reflect.Map:
			ok = ok && v.Len() <= maxList
		}
	})
	if !ok {
		return errBounds
	}
	return nil
}

// Take copies parts of from to f, and nothing else.
func (f *Facts) Take(from *Facts, parts []Part) {
	to, source := reflect.ValueOf(f).Elem(), reflect.ValueOf(from).Elem()
	for _, p := range parts {
		for i := range to.NumField() {
			if to.Type().Field(i).Tag.Get("json") == string(p) {
				to.Field(i).Set(source.Field(i))
			}
		}
	}
}

// minNumber is the least number that can be taken for a password of digits.
const minNumber = 100_000

// Texts returns all texts of e, which are those that the server sent, and its numbers of
// at least six digits.
func (e *Evidence) Texts() []string {
	var texts []string
	walk(reflect.ValueOf(e), func(v reflect.Value) {
		switch {
		case v.Kind() == reflect.String && v.Len() > 0:
			texts = append(texts, v.String())
		case v.CanInt() && v.Int() >= minNumber:
			texts = append(texts, strconv.FormatInt(v.Int(), 10))
		}
	})
	return texts
}

// walk calls visit for v and for every value in it.
func walk(v reflect.Value, visit func(reflect.Value)) {
	visit(v)
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			walk(v.Elem(), visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			walk(v.Field(i), visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), visit)
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			walk(entries.Key(), visit)
			walk(entries.Value(), visit)
		}
	}
}
