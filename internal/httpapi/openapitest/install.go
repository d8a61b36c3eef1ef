package openapitest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/headgate/headgate/internal/pgserver/localrun"
)

const (
	requirement     = "openapi-spec-validator==0.9.0"
	installDeadline = 15 * time.Minute
	tryDeadline     = time.Minute
)

// SpecValidator is the path of an openapi-spec-validator that runs: the one on
// PATH, or else one in a virtual environment in the repository's .cache, made
// when it is missing.
func SpecValidator(ctx context.Context) (string, error) {
	if path, err := exec.LookPath("openapi-spec-validator"); err == nil && runs(ctx, path) == nil {
		return path, nil
	}
	ctx, cancel := context.WithTimeout(ctx, installDeadline)
	defer cancel()
	cache, err := localrun.Cache("openapi")
	if err != nil {
		return "", err
	}
	unlock, err := localrun.Lock(ctx, cache+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	program := filepath.Join(cache, "bin", "openapi-spec-validator")
	if _, err := os.Stat(program); err == nil && runs(ctx, program) == nil {
		return program, nil
	}
	if err := install(ctx, cache); err != nil {
		return "", fmt.Errorf("install %s: %w", requirement, err)
	}
	return program, runs(ctx, program)
}

// runs tries the program: one that is found may be another user's, or belong
// to a Python that is gone.
func runs(ctx context.Context, program string) error {
	ctx, cancel := context.WithTimeout(ctx, tryDeadline)
	defer cancel()
	_, err := localrun.Run(ctx, exec.Command(program, "--help"))
	return err
}

func install(ctx context.Context, directory string) error {
	err := environment(ctx, directory)
	if err != nil {
		// Debian keeps what that takes in a package of its own.
		if aptErr := localrun.AptInstall(ctx, "python3", "python3-venv", "python3-pip"); aptErr != nil {
			return errors.Join(err, aptErr)
		}
		err = environment(ctx, directory)
	}
	if err != nil {
		return err
	}
	_, err = localrun.Run(ctx, exec.Command(filepath.Join(directory, "bin", "python"), "-m", "pip",
		"install", "--disable-pip-version-check", "--no-input", requirement))
	return err
}

func environment(ctx context.Context, directory string) error {
	python, err := exec.LookPath("python3")
	if err != nil {
		return fmt.Errorf("find Python: %w", err)
	}
	_, err = localrun.Run(ctx, exec.Command(python, "-m", "venv", "--clear", directory))
	return err
}
