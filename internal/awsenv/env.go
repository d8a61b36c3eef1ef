// Package awsenv reads the configuration of functions from the environment. It is
// part of every cold start, so it does not use the SDK's config package, which
// reads files and links the clients of sign-on services.
//
// The packages below this one configure services. A function imports only those
// it needs, because every linked client is initialised at each cold start.
package awsenv

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/headgate/headgate/internal/egress"
)

// Lookup returns the value of an environment variable, empty if it is not set.
// os.Getenv is one.
type Lookup func(name string) string

// Env reads the environment. Errors name the variable and say what it must be.
type Env struct {
	lookup Lookup
	shared func() (shared, error) // read once, for all clients
}

// New returns an Env on lookup.
func New(lookup Lookup) *Env {
	e := &Env{lookup: lookup}
	e.shared = sync.OnceValues(e.readShared)
	return e
}

// Fail writes err to standard error as one line and exits with status 1.
func Fail(err error) {
	fmt.Fprintln(os.Stderr, "headgate: "+err.Error())
	os.Exit(1)
}

// Must returns what was configured, or calls Fail if err is not nil.
func Must[T any](configured T, err error) T {
	if err != nil {
		Fail(err)
	}
	return configured
}

func (e *Env) required(name string) (string, error) {
	v := e.lookup(name)
	if v == "" {
		return "", fmt.Errorf("%s is not set", name)
	}
	return v, nil
}

// word returns a required variable of minLength to maxLength ASCII letters, digits
// and characters of punctuation. A regular expression would take longer to compile
// than everything else here.
func (e *Env) word(name string, minLength, maxLength int, punctuation, form string) (string, error) {
	v, err := e.required(name)
	if err != nil {
		return "", err
	}
	invalid := func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune(punctuation, r)
	}
	if len(v) < minLength || len(v) > maxLength || strings.ContainsFunc(v, invalid) {
		return "", malformed(name, form)
	}
	return v, nil
}

func malformed(name, form string) error {
	return fmt.Errorf("%s is malformed: it must be %s", name, form)
}

func (e *Env) table() (string, error) {
	return e.word("TABLE_NAME", 3, 255, "_.-", "the name of a DynamoDB table")
}

// secretPrefix is limited to 256 of the 512 characters of a secret's name, which
// also holds the account and the database's ID.
func (e *Env) secretPrefix() (string, error) {
	const name, form = "SECRET_PREFIX", "the first part of a secret's name, such as headgate, of at most 256 characters"
	v, err := e.word(name, 1, 256, "_+=.@-/", form)
	if err == nil && slices.Contains(strings.Split(v, "/"), "") {
		return "", malformed(name, form)
	}
	return v, err
}

// Egress returns the policy for the addresses that targets may have: the public
// internet and EGRESS_ALLOW.
func (e *Env) Egress() (egress.Policy, error) {
	p, err := egress.New(e.lookup("EGRESS_ALLOW"), e.lookup("AWS_LAMBDA_RUNTIME_API"))
	if err != nil {
		return p, fmt.Errorf("EGRESS_ALLOW is malformed: %w", err)
	}
	return p, nil
}

// RDSIAMAccounts returns RDS_IAM_ACCOUNTS, the accounts whose databases may sign in by
// IAM, separated by commas. valid is the rule of an account.
func (e *Env) RDSIAMAccounts(valid func(account string) bool) ([]string, error) {
	const name = "RDS_IAM_ACCOUNTS"
	value := e.lookup(name)
	if value == "" {
		return nil, nil
	}
	accounts := strings.Split(value, ",")
	for i := range accounts {
		accounts[i] = strings.TrimSpace(accounts[i])
		if !valid(accounts[i]) {
			return nil, malformed(name, "accounts, separated by commas")
		}
	}
	return accounts, nil
}

// Duration returns the variable as a Go duration of at least minimum, or
// defaultValue if it is not set.
func (e *Env) Duration(name string, defaultValue, minimum time.Duration) (time.Duration, error) {
	text := e.lookup(name)
	if text == "" {
		return defaultValue, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < minimum {
		return 0, malformed(name, fmt.Sprintf("a duration of at least %s, such as %s", minimum, defaultValue))
	}
	return d, nil
}

// Number returns the variable as a whole number from minimum to maximum, or
// defaultValue if it is not set.
func (e *Env) Number(name string, defaultValue, minimum, maximum int) (int, error) {
	text := e.lookup(name)
	if text == "" {
		return defaultValue, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < minimum || n > maximum {
		return 0, malformed(name, fmt.Sprintf("a whole number from %d to %d", minimum, maximum))
	}
	return n, nil
}

// Flag returns the variable, which is true or false, or false if it is not set.
func (e *Env) Flag(name string) (bool, error) {
	switch e.lookup(name) {
	case "true":
		return true, nil
	case "false", "":
		return false, nil
	}
	return false, malformed(name, "true or false")
}

// endpoint returns the URL that replaces an AWS service's endpoint, nil for none.
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
