package runtimeapi

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

// BuildFunctions builds every function of the repository, and the programs of
// additional packages, into directory with the flags of the deployment. A
// package is an import path relative to the repository. The binaries have the
// names of their packages' directories.
func BuildFunctions(ctx context.Context, directory string, additional ...string) error {
	packages := []string{"./functions/..."}
	for _, path := range additional {
		packages = append(packages, "./"+path)
	}
	return Build(ctx, directory+string(filepath.Separator), packages...)
}

// Build builds packages into output with the flags of the deployment. arguments are
// more flags of go build, and the packages by their paths in the repository.
func Build(ctx context.Context, output string, arguments ...string) error {
	root, err := localrun.RepositoryRoot()
	if err != nil {
		return err
	}
	if err := localrun.TrackSources(); err != nil {
		return err
	}
	flags := []string{"build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", output}
	cmd := exec.Command("go", append(flags, arguments...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if _, err := localrun.Run(ctx, cmd); err != nil {
		return fmt.Errorf("build %s: %w", output, err)
	}
	return nil
}
