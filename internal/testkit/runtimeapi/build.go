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
	root, err := localrun.RepositoryRoot()
	if err != nil {
		return err
	}
	if err := localrun.TrackSources(); err != nil {
		return err
	}
	arguments := []string{
		"build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w",
		"-o", directory + string(filepath.Separator), "./functions/...",
	}
	for _, path := range additional {
		arguments = append(arguments, "./"+path)
	}
	cmd := exec.Command("go", arguments...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if _, err := localrun.Run(ctx, cmd); err != nil {
		return fmt.Errorf("build functions: %w", err)
	}
	return nil
}
