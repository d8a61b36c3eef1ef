package localrun

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	installDeadline = 15 * time.Minute
	tryDeadline     = time.Minute
)

// PythonProgram is the path of a program of Python's that runs: the one on PATH,
// or else one in a virtual environment in the repository's .cache, made when it
// is missing with what pip calls requirement.
func PythonProgram(ctx context.Context, name, requirement string) (string, error) {
	if path, err := exec.LookPath(name); err == nil && runs(ctx, path) == nil {
		return path, nil
	}
	ctx, cancel := context.WithTimeout(ctx, installDeadline)
	defer cancel()
	cache, err := Cache(name)
	if err != nil {
		return "", err
	}
	unlock, err := Lock(ctx, cache+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	program := filepath.Join(cache, "bin", name)
	if _, err := os.Stat(program); err == nil && runs(ctx, program) == nil {
		return program, nil
	}
	if err := install(ctx, cache, requirement); err != nil {
		return "", fmt.Errorf("install %s: %w", requirement, err)
	}
	return program, runs(ctx, program)
}

// runs tries the program: one that is found may be another user's, or belong
// to a Python that is gone.
func runs(ctx context.Context, program string) error {
	ctx, cancel := context.WithTimeout(ctx, tryDeadline)
	defer cancel()
	_, err := Run(ctx, exec.Command(program, "--help"))
	return err
}

func install(ctx context.Context, directory, requirement string) error {
	if err := makeEnvironment(ctx, directory); err != nil {
		return err
	}
	_, err := Run(ctx, exec.Command(filepath.Join(directory, "bin", "python"), "-m", "pip",
		"install", "--disable-pip-version-check", "--no-input", requirement))
	return err
}

// makeEnvironment makes a virtual environment. Debian keeps what that takes in
// a package of its own.
func makeEnvironment(ctx context.Context, directory string) error {
	first := virtualEnvironment(ctx, directory)
	if first == nil {
		return nil
	}
	if err := AptInstall(ctx, "python3", "python3-venv", "python3-pip"); err != nil {
		return errors.Join(first, err)
	}
	return virtualEnvironment(ctx, directory)
}

func virtualEnvironment(ctx context.Context, directory string) error {
	python, err := exec.LookPath("python3")
	if err != nil {
		return fmt.Errorf("find Python: %w", err)
	}
	_, err = Run(ctx, exec.Command(python, "-m", "venv", "--clear", directory))
	return err
}
