package localrun

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// RepositoryRoot returns the nearest directory, from the working directory
// upwards, that holds a go.mod.
func RepositoryRoot() (string, error) {
	directory, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(directory, "go.mod")); err == nil {
			return directory, nil
		}
		parent := filepath.Dir(directory)
		if parent == directory {
			return "", errors.New("find the repository: no go.mod in the working directory or above it")
		}
		directory = parent
	}
}

// TrackSources makes the cached result of the running test depend on every file
// under functions and internal. The go command caches by the files and
// directories that a test opens itself, not by what a go build or go list that
// it runs reads.
func TrackSources() error {
	root, err := RepositoryRoot()
	if err != nil {
		return err
	}
	for _, name := range []string{"go.mod", "functions", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, name), func(_ string, _ fs.DirEntry, err error) error { return err })
		if err != nil {
			return fmt.Errorf("track sources: %w", err)
		}
	}
	return nil
}
