// Package awsenv turns the environment into a checked configuration. It is on
// every function's start-up path: nothing here looks at files or at the network
// that a request may not need, which is why the SDK's config module is not used.
//
// What runs on the configuration is in the packages below this one, by what it
// links: a function links, and so initialises at its start, only the clients that
// it calls.
package awsenv

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/headgate/headgate/internal/egress"
)

// Lookup gives the value of an environment variable, empty where it is not set;
// os.Getenv is one.
type Lookup func(name string) string

// Env reads the environment. Errors name the variable and what it must be.
type Env struct {
	lookup Lookup
	shared func() (shared, error) // read once, for all clients
}

// New is the environment that lookup shows.
func New(lookup Lookup) *Env {
	e := &Env{lookup: lookup}
	e.shared = sync.OnceValues(e.readShared)
	return e
}

// Fail ends a process that can't start, with one line that says why.
func Fail(err error) {
	fmt.Fprintln(os.Stderr, "headgate: "+err.Error())
	os.Exit(1)
}

// required is the value of a variable that must be set.
func (e *Env) required(name string) (string, error) {
	v := e.lookup(name)
	if v == "" {
		return "", fmt.Errorf("%s is not set", name)
	}
	return v, nil
}

// spelled is the value of a variable that must be set, with from least to most
// letters, digits, and characters of others. It does without a regular expression:
// compiling one with such bounds takes longer than all else here.
func (e *Env) spelled(name string, least, most int, others, form string) (string, error) {
	v, err := e.required(name)
	if err != nil {
		return "", err
	}
	odd := func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune(others, r)
	}
	if len(v) < least || len(v) > most || strings.ContainsFunc(v, odd) {
		return "", malformed(name, form)
	}
	return v, nil
}

func malformed(name, form string) error {
	return fmt.Errorf("%s is malformed: it must be %s", name, form)
}

// table is the name of the table, by DynamoDB's rules for one.
func (e *Env) table() (string, error) {
	return e.spelled("TABLE_NAME", 3, 255, "_.-", "the name of a DynamoDB table")
}

// secretPrefix leaves room for account and ID in a secret's name, which has at
// most 512 characters.
func (e *Env) secretPrefix() (string, error) {
	const name, form = "SECRET_PREFIX", "the first part of a secret's name, such as headgate, of at most 256 characters"
	v, err := e.spelled(name, 1, 256, "_+=.@-/", form)
	if err == nil && slices.Contains(strings.Split(v, "/"), "") {
		return "", malformed(name, form)
	}
	return v, err
}

// Egress is which addresses may be dialled beside the public internet, by
// EGRESS_ALLOW.
func (e *Env) Egress() (egress.Policy, error) {
	p, err := egress.New(e.lookup("EGRESS_ALLOW"), e.lookup("AWS_LAMBDA_RUNTIME_API"))
	if err != nil {
		return p, fmt.Errorf("EGRESS_ALLOW is malformed: %w", err)
	}
	return p, nil
}

// Duration is a Go duration of at least least, by the variable called name;
// otherwise where it is not set.
func (e *Env) Duration(name string, otherwise, least time.Duration) (time.Duration, error) {
	text := e.lookup(name)
	if text == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < least {
		return 0, malformed(name, fmt.Sprintf("a duration of at least %s, such as %s", least, otherwise))
	}
	return d, nil
}

// endpoint is the URL that stands in for a service of AWS's, nil for AWS's own.
func (e *Env) endpoint(service string) (*string, error) {
	for _, name := range []string{"AWS_ENDPOINT_URL_" + service, "AWS_ENDPOINT_URL"} {
		v := e.lookup(name)
		if v == "" {
			continue
		}
		u, err := url.Parse(v)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, malformed(name, "an http or https URL")
		}
		v = strings.TrimSuffix(v, "/")
		return &v, nil
	}
	return nil, nil
}
