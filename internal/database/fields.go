package database

import (
	"slices"
	"strconv"
	"strings"

	"github.com/headgate/headgate/internal/apierror"
)

// fields reads the members of one JSON object, and notes under each one's path
// what is wrong with it.
type fields struct {
	path string
	obj  value
	errs apierror.FieldErrors
	// event says that the payload came in an event.
	event bool
}

// rule is what a string must satisfy: "" where it does, else what is wrong.
type rule func(string) string

func (f fields) at(name string) string {
	if f.path == "" {
		return name
	}
	return f.path + "." + name
}

func (f fields) fail(name, message string) { f.errs.Add(f.at(name), message) }

func (f fields) given(name string) bool {
	_, ok := f.obj.member(name)
	return ok
}

// null tells whether the member called name is there and null.
func (f fields) null(name string) bool {
	return slices.ContainsFunc(f.obj.members, func(m member) bool { return m.name == name && m.value.kind == kindNull })
}

// text is the string called name, and whether it is given and good.
func (f fields) text(name string, check rule) (string, bool) {
	v, ok := f.obj.member(name)
	if !ok {
		return "", false
	}
	if v.kind != kindString {
		f.fail(name, "must be a string")
		return "", false
	}
	if problem := check(v.text); problem != "" {
		f.fail(name, problem)
		return "", false
	}
	return v.text, true
}

// requiredText is text, and an error where there is none.
func (f fields) requiredText(name string, check rule) string {
	if !f.given(name) {
		f.fail(name, "is required")
	}
	s, _ := f.text(name, check)
	return s
}

// boolean is the boolean called name, or otherwise.
func (f fields) boolean(name string, otherwise bool) bool {
	v, ok := f.obj.member(name)
	switch {
	case !ok:
		return otherwise
	case v.kind == kindTrue, v.kind == kindFalse:
		return v.kind == kindTrue
	}
	f.fail(name, "must be true or false")
	return otherwise
}

// port is the port called name and whether one is given. 0 counts as not given,
// because Go and Terraform clients send it for that.
func (f fields) port(name string) (int, bool) {
	v, ok := f.obj.member(name)
	if !ok {
		return DefaultPort, false
	}
	if v.kind != kindNumber || strings.ContainsAny(v.text, ".eE") {
		f.fail(name, "must be an integer")
		return DefaultPort, false
	}
	n, err := strconv.Atoi(v.text)
	if err == nil && n == 0 {
		return DefaultPort, false
	}
	if err != nil || n < 1 || n > 65535 {
		f.fail(name, "must be between 1 and 65535")
		return DefaultPort, false
	}
	return n, true
}

// rejectUnknown notes every member that is neither known nor ignored.
func (f fields) rejectUnknown(known, ignored []string) {
	const most = 50
	found := 0
	for _, m := range f.obj.members {
		if slices.Contains(known, m.name) || slices.Contains(ignored, m.name) {
			continue
		}
		if found++; found > most {
			return
		}
		f.fail(bounded(m.name), `is not a known field; the nearest is "`+nearest(m.name, known)+`"`)
	}
}
