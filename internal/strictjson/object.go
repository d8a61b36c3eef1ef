package strictjson

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/headgate/headgate/internal/apierror"
)

// Object is a JSON object. A getter returns nil for a member that is absent or
// null, and notes a fault, and returns nil, where the member has another type.
// Names are case-sensitive.
type Object struct {
	path    string
	members []member
	known   *[]string // the names that were asked for
	faults  apierror.FieldErrors
}

// Rule returns what is wrong with a value, or the empty string.
type Rule[T any] func(T) string

func newObject(path string, v value, faults apierror.FieldErrors) Object {
	const usual = 24 // saves the allocations of growing
	known := make([]string, 0, usual)
	return Object{path: path, members: v.members, known: &known, faults: faults}
}

// value returns the member called name and whether it is there and not null.
func (o Object) value(name string) (value, bool) {
	v := o.raw(name)
	return v, v.text != "" && v.kind != kindNull
}

func (o Object) raw(name string) value {
	if !slices.Contains(*o.known, name) {
		*o.known = append(*o.known, name)
	}
	for _, m := range o.members {
		if m.name == name {
			return m.value
		}
	}
	return value{}
}

// Path returns the path of the member called name from the outermost object.
func (o Object) Path(name string) string {
	if o.path == "" {
		return name
	}
	return o.path + "." + name
}

// Fault notes what is wrong with the member called name.
func (o Object) Fault(name, message string) { o.faults.Add(o.Path(name), message) }

// Has reports whether the member called name is there and not null.
func (o Object) Has(name string) bool {
	_, ok := o.value(name)
	return ok
}

// IsNull reports whether the member called name is there and null.
func (o Object) IsNull(name string) bool { return o.raw(name).kind == kindNull }

// Raw returns the text that the member called name was sent as, empty where it is
// absent or null.
func (o Object) Raw(name string) string {
	v, ok := o.value(name)
	if !ok {
		return ""
	}
	return v.text
}

// Require notes a fault for every name that is absent or null.
func (o Object) Require(names ...string) {
	for _, name := range names {
		if !o.Has(name) {
			o.Fault(name, "is required")
		}
	}
}

// String returns the string called name. A string that breaks rule is a fault,
// and returned all the same; rule may be nil.
func (o Object) String(name string, rule Rule[string]) *string {
	v, ok := o.typed(name, "must be a string", kindString)
	if !ok {
		return nil
	}
	s := unquote(v.text)
	check(o, name, s, rule)
	return &s
}

// Bool returns the boolean called name.
func (o Object) Bool(name string) *bool {
	v, ok := o.typed(name, "must be true or false", kindTrue, kindFalse)
	if !ok {
		return nil
	}
	b := v.kind == kindTrue
	return &b
}

// Int returns the integer called name; 5.0 and 5e0 are not integers. One that
// breaks rule is a fault, and returned all the same; rule may be nil. An integer
// beyond the range of int is taken for the nearest end of that range.
func (o Object) Int(name string, rule Rule[int]) *int {
	const must = "must be an integer"
	v, ok := o.typed(name, must, kindNumber)
	if !ok {
		return nil
	}
	if strings.ContainsAny(v.text, ".eE") {
		o.Fault(name, must)
		return nil
	}
	n, _ := strconv.Atoi(v.text) // the only possible error is the range
	check(o, name, n, rule)
	return &n
}

// Object returns the object called name.
func (o Object) Object(name string) *Object {
	v, ok := o.typed(name, "must be an object", kindObject)
	if !ok {
		return nil
	}
	inner := newObject(o.Path(name), v, o.faults)
	return &inner
}

// Objects returns the elements of the array called name, nil where it is absent
// or null and also where it breaks rule, a rule for its length; rule may be nil. An
// element that is not an object is a fault, and nil.
func (o Object) Objects(name string, rule Rule[int]) []*Object {
	return elements(o, name, rule, "must be an object", kindObject, func(element string, v value) Object {
		return newObject(o.Path(element), v, o.faults)
	})
}

// Strings returns the elements of the array called name, nil where it is absent or
// null and also where it breaks length, a rule for its length, or holds something
// other than strings. A string that breaks rule is a fault, and returned all the same.
func (o Object) Strings(name string, length Rule[int], rule Rule[string]) []string {
	var all []string
	for _, s := range elements(o, name, length, "must be a string", kindString, func(element string, v value) string {
		s := unquote(v.text)
		check(o, element, s, rule)
		return s
	}) {
		if s == nil {
			return nil
		}
		all = append(all, *s)
	}
	return all
}

// typed returns the member called name, and whether it is there with one of the
// kinds. A member of another kind is a fault: must says what it has to be.
func (o Object) typed(name, must string, kinds ...jsontext.Kind) (value, bool) {
	v, ok := o.value(name)
	if ok && !slices.Contains(kinds, v.kind) {
		o.Fault(name, must)
		return value{}, false
	}
	return v, ok
}

// elements returns what read makes of the elements of the array called name, nil for
// those of another kind. read gets the element's name, such as name[0].
func elements[T any](o Object, name string, length Rule[int], must string, kind jsontext.Kind, read func(element string, v value) T) []*T {
	v, ok := o.typed(name, "must be an array", kindArray)
	if !ok || !check(o, name, len(v.elements), length) {
		return nil
	}
	all := make([]*T, len(v.elements))
	for i, e := range v.elements {
		element := name + "[" + strconv.Itoa(i) + "]"
		if e.kind != kind {
			o.Fault(element, must)
			continue
		}
		result := read(element, e)
		all[i] = &result
	}
	return all
}

// RejectUnknown notes a fault for every member that was not asked for and is not
// to be ignored, as read-only ones are. So it comes after the getters.
func (o Object) RejectUnknown(ignored ...string) {
	const maxFaults = 50
	found := 0
	for _, m := range o.members {
		if slices.Contains(*o.known, m.name) || slices.Contains(ignored, m.name) {
			continue
		}
		if found++; found > maxFaults {
			return
		}
		message := "is not a known field"
		if near := Nearest(m.name, slices.Concat(*o.known, ignored)); near != "" {
			message += `; the nearest is "` + near + `"`
			if !slices.Contains(*o.known, near) {
				message += ", which is read-only"
			}
		}
		o.Fault(Bounded(m.name), message)
	}
}

// check reports whether v keeps rule and notes a fault where it does not.
func check[T any](o Object, name string, v T, rule Rule[T]) bool {
	if rule == nil {
		return true
	}
	problem := rule(v)
	if problem != "" {
		o.Fault(name, problem)
	}
	return problem == ""
}
