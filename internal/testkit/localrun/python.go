package localrun

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	pipTimeout = 15 * time.Minute
	tryTimeout = time.Minute
)

// PythonProgram returns the path of a Python program that runs: the one on PATH
// or one in a virtual environment under the repository's .cache. If that is
// missing, PythonProgram creates it with requirement, in pip's syntax.
func PythonProgram(ctx context.Context, name, requirement string) (string, error) {
	if path, err := exec.LookPath(name); err == nil && try(ctx, path) == nil {
		return path, nil
	}
	ctx, cancel := context.WithTimeout(ctx, pipTimeout)
	defer cancel()
	environment, err := Cache(name)
	if err != nil {
		return "", err
	}
	unlock, err := Lock(ctx, environment+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	program := filepath.Join(environment, "bin", name)
	if try(ctx, program) == nil {
		return program, nil
	}
	if err := pipInstall(ctx, environment, requirement); err != nil {
		return "", fmt.Errorf("install %s: %w", requirement, err)
	}
	return program, try(ctx, program)
}

// try runs the program. One that is found may be another user's, or belong to a
// Python that was removed.
func try(ctx context.Context, program string) error {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	_, err := Run(ctx, exec.Command(program, "--help"))
	return err
}

func pipInstall(ctx context.Context, environment, requirement string) error {
	if err := createEnvironment(ctx, environment); err != nil {
		return err
	}
	_, err := Run(ctx, exec.Command(filepath.Join(environment, "bin", "python"), "-m", "pip",
		"install", "--disable-pip-version-check", "--no-input", requirement))
	return err
}

// createEnvironment creates a virtual environment. If Python can't, it installs
// the packages in which Debian keeps that part of Python.
func createEnvironment(ctx context.Context, directory string) error {
	first := venv(ctx, directory)
	if first == nil {
		return nil
	}
	if err := AptInstall(ctx, "python3", "python3-venv", "python3-pip"); err != nil {
		return errors.Join(first, err)
	}
	return venv(ctx, directory)
}

func venv(ctx context.Context, directory string) error {
	_, err := Run(ctx, exec.Command("python3", "-m", "venv", "--clear", directory))
	return err
}
