package template_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

// TestParameters checks that every parameter is explained, and has a default that its
// own constraints accept.
func TestParameters(t *testing.T) {
	t.Parallel()
	parameters, _ := deployed.root["Parameters"].(object)
	for name, parameter := range parameters {
		if textAt(parameter, "Description") == "" {
			t.Errorf("%s has no description", name)
		}
		if at(parameter, "Default") == nil {
			t.Errorf("%s has no default", name)
		}
		if wrong := deployed.rejects(name, textAt(parameter, "Default")); wrong != "" {
			t.Error(wrong)
		}
	}
}

// question matches the end of a question of SAM's, which shows the default.
var question = regexp.MustCompile(`\[[^]\n]*\]: `)

// TestGuidedDeploy lets `sam deploy --guided` ask its questions and answers each with
// Enter, until it calls AWS, which is not there.
func TestGuidedDeploy(t *testing.T) {
	t.Parallel()
	const maxQuestions = 30
	dir := t.TempDir()
	for _, name := range []string{"template.yaml", "samconfig.toml"} {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), samTool(t, "sam"), "deploy", "--guided", "--template-file", "template.yaml")
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(strings.Repeat("\n", 2*maxQuestions))
	cmd.Env = append(os.Environ(), "HOME="+dir, "SAM_CLI_TELEMETRY=0", "AWS_DEFAULT_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=test",
		"AWS_SECRET_ACCESS_KEY=test", "AWS_ENDPOINT_URL=http://127.0.0.1:1", "AWS_MAX_ATTEMPTS=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "Looking for resources needed for deployment") {
		t.Fatalf("it did not ask everything: %v\n%s", err, out)
	}
	if n := len(question.FindAll(out, -1)); n < len(deployed.root["Parameters"].(object)) || n > maxQuestions {
		t.Errorf("%d questions, want one for each parameter, and at most %d:\n%s", n, maxQuestions, out)
	}
}

// samTool returns the absolute path of a program of SAM's virtual environment, which is
// installed if it is missing.
func samTool(t *testing.T, name string) string {
	t.Helper()
	unlock, err := localrun.Lock(t.Context(), filepath.Join(root, ".cache", "sam.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	install := exec.CommandContext(t.Context(), "make", "sam-tools")
	install.Dir = root
	if _, err := localrun.Run(t.Context(), install); err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs(filepath.Join(root, ".cache", "sam", "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
