package template_test

import (
	"fmt"
	"go/ast"
	"maps"
	"regexp"
	"slices"
	"strings"
)

var variableName = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$`)

// notVariables look like variables.
var notVariables = map[string]string{
	"SECRETS_MANAGER": "the end of AWS_ENDPOINT_URL_SECRETS_MANAGER",
}

// throughSAM is set, to nothing, because `sam local` hands a function only the
// variables that the template names.
const throughSAM = "AWS_ENDPOINT_URL"

// checkVariables compares the variables that are set for each function with those
// that its code reads. Those of AWS's own are set by Lambda, or not at all.
func checkVariables(t template, programs map[string]program) []string {
	var found []string
	for _, f := range t.functions() {
		p := programs[f.name]
		found = append(found, p.readsElsewhere(f.name)...)
		read := p.variables()
		for _, name := range slices.Sorted(maps.Keys(read)) {
			if _, set := f.variables()[name]; !set && !p.manages(name) {
				found = append(found, fmt.Sprintf("%s reads %s, which is not set", f.name, name))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(f.variables())) {
			if !read[name] {
				found = append(found, fmt.Sprintf("%s does not read %s, which is set", f.name, name))
			}
		}
	}
	return found
}

// manages says whether the program does without the variable: the key for new
// secrets is of no interest to one that makes none, and a proxy is for networks
// that have one.
func (p program) manages(name string) bool {
	return name == "HTTPS_PROXY" || name == "SECRET_KMS_KEY_ID" && !p.called["secretsmanager:CreateSecret"]
}

// readsEnvironment says whether a function is where variables are named.
func (d declaration) readsEnvironment() bool {
	return strings.HasPrefix(d.symbol, module+"/internal/awsenv") || strings.HasPrefix(d.symbol, module+"/functions/")
}

// variables are the names of variables in the code that reads them.
func (p program) variables() map[string]bool {
	read := map[string]bool{}
	for s, d := range p.strings() {
		ours := !strings.HasPrefix(s, "AWS_") || s == throughSAM
		if d.readsEnvironment() && variableName.MatchString(s) && ours && notVariables[s] == "" {
			read[s] = true
		}
	}
	return read
}

// readsElsewhere are the places beside those where the environment is read.
func (p program) readsElsewhere(name string) []string {
	var found []string
	each(p, func(d declaration, e *ast.SelectorExpr) {
		path, function := d.qualified(e)
		if path == "os" && slices.Contains([]string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"}, function) && !d.readsEnvironment() {
			found = append(found, fmt.Sprintf("%s reads the environment in %s", name, d.symbol))
		}
	})
	return found
}
