package bench_test

import (
	"os/exec"
	"strings"
	"testing"
)

// The SDK's config module brings the clients of sign-on services along, and every
// function would start the slower for them: it is for the naive create alone.
func TestOnlyTheNaiveCreateIsLinkedWithTheConfigModule(t *testing.T) {
	t.Parallel()
	const module, config = "github.com/headgate/headgate/", "github.com/aws/aws-sdk-go-v2/config"
	for _, c := range []struct {
		packages string
		linked   bool
	}{
		{"functions/...", false},
		{"internal/suites/bench/naive", true},
	} {
		listed, err := exec.CommandContext(t.Context(), "go", "list", "-deps", module+c.packages).Output()
		if err != nil {
			t.Fatal(err)
		}
		linked := false
		for dependency := range strings.Lines(string(listed)) {
			linked = linked || strings.TrimSpace(dependency) == config
		}
		if linked != c.linked {
			t.Errorf("%s: linked with %s is %t, want %t", c.packages, config, linked, c.linked)
		}
	}
}
