package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// build builds every function and the programs beside them into dir, all with
// the flags that functions are deployed with, and gives the functions' names.
func build(ctx context.Context, dir string) ([]string, error) {
	const module = "github.com/headgate/headgate/"
	listed, err := exec.CommandContext(ctx, "go", "list", "-f", `{{if eq .Name "main"}}{{.ImportPath}}{{end}}`, module+"functions/...").Output()
	if err != nil {
		return nil, fmt.Errorf("listing the functions: %w", err)
	}
	functions := strings.Fields(string(listed))
	arguments := slices.Concat(
		[]string{"build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", dir + "/"},
		functions, []string{module + "internal/suites/bench/" + naive, module + "internal/suites/bench/" + hello, module + "internal/suites/bench/" + clients})
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the functions: %w\n%s", err, output)
	}
	for i, f := range functions {
		functions[i] = filepath.Base(f)
	}
	return functions, nil
}

// size is that of a program's file, in bytes.
func (s *scene) size(program string) (int64, error) {
	info, err := os.Stat(filepath.Join(s.dir, program))
	if err != nil {
		return 0, fmt.Errorf("looking at %s: %w", program, err)
	}
	return info.Size(), nil
}
