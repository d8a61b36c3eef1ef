package pgserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSweep(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	old := time.Now().Add(-2 * abandonedAfter)
	for name, pid := range map[string]int{"dead": 1 << 30, "live": os.Getpid(), "young": 1 << 30} {
		directory := filepath.Join(parent, directoryPrefix+name)
		if err := os.MkdirAll(filepath.Join(directory, "data"), 0o700); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(directory, "data", "postmaster.pid")
		if err := os.WriteFile(file, fmt.Appendf(nil, "%d\nmore\n", pid), 0o600); err != nil {
			t.Fatal(err)
		}
		if name == "young" {
			continue
		}
		if err := os.Chtimes(directory, old, old); err != nil {
			t.Fatal(err)
		}
	}
	sweep(parent)
	for name, kept := range map[string]bool{"dead": false, "live": true, "young": true} {
		_, err := os.Stat(filepath.Join(parent, directoryPrefix+name))
		if kept != (err == nil) || (err != nil && !errors.Is(err, fs.ErrNotExist)) {
			t.Errorf("directory of a %s server: error %v, want it kept: %t", name, err, kept)
		}
	}
}

func TestAccount_CanEnter(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	inner := filepath.Join(directory, "inner")
	if err := os.Mkdir(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	if (account{other: true}).canEnter(inner) {
		t.Error("another user can enter a directory inside a private one")
	}
	if !(account{}).canEnter(inner) {
		t.Error("the user can't enter its own directory")
	}
	if !(account{other: true}).canEnter("/") {
		t.Error("another user can't enter the root directory")
	}
}
