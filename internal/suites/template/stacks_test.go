package template_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/testkit/mototest"
)

// TestTemplate_TwoStacks creates two stacks of the template in one account and Region
// of moto, as far as moto knows the resources.
func TestTemplate_TwoStacks(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, template string
		want           int // stacks
	}{
		{"the template", string(text), 2},
		{"a reference that does not resolve", strings.Replace(string(text), "!GetAtt Table.Arn", "!GetAtt Tables.Arn", 1), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "template.yaml")
			if err := os.WriteFile(path, []byte(tt.template), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := createStacks(t, path, "first", "second")
			if n := strings.Count(string(out), "CREATE_COMPLETE"); n != tt.want || (err == nil) != (tt.want > 0) {
				t.Errorf("%d stacks created, want %d: %v\n%s", n, tt.want, err, out)
			}
			t.Logf("%s", out)
		})
	}
}

func createStacks(t *testing.T, template string, names ...string) ([]byte, error) {
	t.Helper()
	arguments := append([]string{filepath.Join("testdata", "stacks.py"), mototest.Start(t).URL(), template}, names...)
	return exec.CommandContext(t.Context(), samTool(t, "python"), arguments...).CombinedOutput()
}
