// Package awsenv turns the environment into a checked configuration, the AWS
// clients and the services that run on them. It is on every function's start-up
// path: nothing here looks at files or at the network that a request may not
// need, which is why the SDK's config module is not used.
package awsenv

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/headgate/headgate/internal/egress"
)

// Lookup gives the value of an environment variable, empty where it is not set;
// os.Getenv is one.
type Lookup func(name string) string

// Env reads the environment. Errors name the variable and what it must be.
type Env struct{ lookup Lookup }

// New is the environment that lookup shows.
func New(lookup Lookup) *Env { return &Env{lookup: lookup} }

// required is the value of a variable that must be set.
func (e *Env) required(name string) (string, error) {
	v := e.lookup(name)
	if v == "" {
		return "", fmt.Errorf("%s is not set", name)
	}
	return v, nil
}

// matching is the value of a variable that must be set and have a form.
func (e *Env) matching(name, pattern, form string) (string, error) {
	v, err := e.required(name)
	if err != nil {
		return "", err
	}
	if !regexp.MustCompile(pattern).MatchString(v) {
		return "", fmt.Errorf("%s is malformed: it must be %s", name, form)
	}
	return v, nil
}

// table is the name of the table, by DynamoDB's rules for one.
func (e *Env) table() (string, error) {
	return e.matching("TABLE_NAME", `^[A-Za-z0-9_.-]{3,255}$`, "the name of a DynamoDB table")
}

// secretPrefix leaves room for account and ID in a secret's name, which has at
// most 512 characters.
func (e *Env) secretPrefix() (string, error) {
	return e.matching("SECRET_PREFIX", `^[A-Za-z0-9_+=.@-]+(/[A-Za-z0-9_+=.@-]+)*$`, "the first part of a secret's name, such as headgate")
}

func (e *Env) egress() (egress.Policy, error) {
	p, err := egress.New(e.lookup("EGRESS_ALLOW"), e.lookup("AWS_LAMBDA_RUNTIME_API"))
	if err != nil {
		return p, fmt.Errorf("EGRESS_ALLOW is malformed: %w", err)
	}
	return p, nil
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
			return nil, fmt.Errorf("%s is malformed: it must be an http or https URL", name)
		}
		v = strings.TrimSuffix(v, "/")
		return &v, nil
	}
	return nil, nil
}
