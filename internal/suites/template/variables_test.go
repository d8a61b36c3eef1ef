package template_test

import (
	"fmt"
	"go/ast"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var variableName = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$`)

// notVariables lists strings that only look like names of variables.
var notVariables = map[string]string{
	"SECRETS_MANAGER": "a part of AWS_ENDPOINT_URL_SECRETS_MANAGER",
}

// endpoint is set to the empty string, because `sam local` passes on to a function
// only the variables that the template names.
const endpoint = "AWS_ENDPOINT_URL"

const (
	// processors is read by Go's runtime.
	processors = "GOMAXPROCS"
	// memoryOfCPU is the memory, in MB, from which a function has a whole CPU.
	memoryOfCPU = 1769
)

// checkVariables compares the variables that are set for each function with those
// that its code reads, except AWS_…, which Lambda sets. A function with less than a CPU
// must be limited to one.
func checkVariables(t template, programs map[string]program) []string {
	var found []string
	for _, f := range t.functions() {
		p := programs[f.name]
		found = append(found, p.readsElsewhere(f.name)...)
		memory, _ := strconv.Atoi(textAt(f.properties, "MemorySize")) // 0 is less than a CPU
		if memory < memoryOfCPU && text(f.variables()[processors]) != "1" {
			found = append(found, fmt.Sprintf("%s has %d MB, less than a CPU, and %s is not 1", f.name, memory, processors))
		}
		read := p.variables()
		for _, name := range slices.Sorted(maps.Keys(read)) {
			if _, set := f.variables()[name]; !set && !p.mayLack(name) {
				found = append(found, fmt.Sprintf("%s reads %s, which is not set", f.name, name))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(f.variables())) {
			if !read[name] && name != processors {
				found = append(found, fmt.Sprintf("%s does not read %s, which is set", f.name, name))
			}
		}
	}
	return found
}

// mayLack reports whether the program works as intended without the variable:
// only a program that creates secrets needs the key for them, and only some networks
// have a proxy.
func (p program) mayLack(name string) bool {
	return name == "HTTPS_PROXY" || name == "SECRET_KMS_KEY_ID" && !p.called["secretsmanager:CreateSecret"]
}

// readsEnvironment reports whether d may name environment variables.
func (d declaration) readsEnvironment() bool {
	return strings.HasPrefix(d.symbol, module+"/internal/awsenv") || strings.HasPrefix(d.symbol, module+"/functions/")
}

// variables returns the names of the variables that the program reads.
func (p program) variables() map[string]bool {
	read := map[string]bool{}
	for s, d := range p.strings() {
		ours := !strings.HasPrefix(s, "AWS_") || s == endpoint
		if d.readsEnvironment() && variableName.MatchString(s) && ours && notVariables[s] == "" {
			read[s] = true
		}
	}
	return read
}

// readsElsewhere returns a finding for each function that reads the environment
// and should not.
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
