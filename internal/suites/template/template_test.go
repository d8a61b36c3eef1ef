// Package template_test reads template.yaml beside the code that it deploys, and
// says where they differ: permissions, routes, variables, and what nobody uses.
package template_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// The template, and the program of each function.
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

// findings are what is wrong with a template.
func findings(t template) []string {
	checks := []func(template, map[string]program) []string{
		checkRoles, checkEndpoints, checkVariables, checkRoutes,
		checkFunctions, checkLogs, checkQueues, checkAlarms, checkMetricFilters, checkDashboards,
	}
	var found []string
	for _, check := range checks {
		found = append(found, check(t, programs)...)
	}
	return found
}

func TestTheTemplateFitsTheCode(t *testing.T) {
	t.Parallel()
	for _, finding := range findings(deployed) {
		t.Error(finding)
	}
}

// TestWhatIsWrongIsFound holds the checks against copies of the template in which
// something was changed: each finds that, and nothing else.
func TestWhatIsWrongIsFound(t *testing.T) {
	t.Parallel()
	for name, m := range mutations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mutated := template{clone(deployed.root).(object)}
			m.change(mutated)
			if got := findings(mutated); !slices.Equal(got, m.want) {
				t.Errorf("found:\n%s\nnot:\n%s", strings.Join(got, "\n"), strings.Join(m.want, "\n"))
			}
		})
	}
}
