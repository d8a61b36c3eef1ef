// Package template_test compares template.yaml with the code that it deploys:
// permissions, routes, environment variables, and resources that nothing uses.
package template_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// The template, and the programs by the names of their functions. TestMain reads
// both; tests change copies only.
var (
	deployed template
	programs map[string]program
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "headgate-template")
	if err == nil {
		defer os.RemoveAll(dir)
		err = build(dir)
	}
	if err == nil {
		programs, err = readPrograms(dir)
	}
	if err == nil {
		deployed, err = readTemplate(root + "/template.yaml")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// checks returns the checks in the order of their findings. Each returns what is
// wrong with a template, as sentences.
func checks() []func(template, map[string]program) []string {
	return []func(template, map[string]program) []string{
		checkRoles, checkEndpoints, checkVariables, checkRoutes, checkFunctions,
		checkLogs, checkNamespaces, checkQueues, checkStreams, checkSchemas, checkConsumers, checkAlarms, checkMetricFilters, checkDashboards,
	}
}

func findings(t template) []string {
	var found []string
	for _, check := range checks() {
		found = append(found, check(t, programs)...)
	}
	return found
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	for _, finding := range findings(deployed) {
		t.Error(finding)
	}
}

// TestTemplate_Mutations shows that the checks can fail: each mutation of the
// template leads to the findings that it names, and to no other.
func TestTemplate_Mutations(t *testing.T) {
	t.Parallel()
	for name, m := range mutations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mutated := template{clone(deployed.root).(object)}
			m.change(mutated)
			if got := findings(mutated); !slices.Equal(got, m.want) {
				t.Errorf("findings:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(m.want, "\n"))
			}
		})
	}
}
