package pgserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// OldestMajor and NewestMajor are the range of major versions of Postgres that
// this package can install and run. UnsupportedMajor can be installed too: a server of
// it accepts connections, for tests that it is rejected, and can't have a standby.
const (
	UnsupportedMajor = OldestMajor - 1

	OldestMajor = 12
	NewestMajor = 18
)

const versionTimeout = 20 * time.Second

// Installation is a set of Postgres server programs.
type Installation struct {
	// BinDir is the directory of initdb and postgres.
	BinDir string
	// Major is the major version, such as 17.
	Major int
	// Version is the full version that the programs print, such as 17.10.
	Version string
}

// ErrNotFound is returned if the machine has no Postgres server programs that can
// be run.
var ErrNotFound = errors.New("no Postgres server programs on this machine")

// Find returns the first server programs on this machine, beginning with PATH,
// that the server's user can run and whose major version is supported.
func Find(ctx context.Context) (Installation, error) {
	owner, err := serverAccount()
	if err != nil {
		return Installation{}, err
	}
	var failures []error
	for _, directory := range candidates(ctx) {
		installation, err := inspect(ctx, owner, directory)
		if err == nil && installation.Major < OldestMajor {
			err = fmt.Errorf("use Postgres %s in %s: older than %d", installation.Version, directory, OldestMajor)
		}
		if err == nil {
			return installation, nil
		}
		failures = append(failures, err)
	}
	return Installation{}, fmt.Errorf("%w: %w", ErrNotFound, errors.Join(failures...))
}

// candidates returns directories that may hold the programs, the preferred first.
func candidates(ctx context.Context) []string {
	var found []string
	for _, program := range []string{"postgres", "initdb"} {
		path, err := exec.LookPath(program)
		if err != nil {
			continue
		}
		// The program on PATH may be a link; the others are next to its target.
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			found = append(found, filepath.Dir(resolved))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	if output, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		found = append(found, strings.TrimSpace(string(output)))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",
		"/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin",
		"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
		"/usr/local/pgsql/bin",
		"/usr/libexec/postgresql*",
	} {
		matches, _ := filepath.Glob(pattern) // fails for malformed patterns only
		slices.SortFunc(matches, func(a, b string) int { return cmp.Compare(number(b), number(a)) })
		found = append(found, matches...)
	}
	return slices.Compact(found)
}

// number returns the first number in a path, or 0.
func number(path string) int {
	value, _ := strconv.Atoi(regexp.MustCompile(`\d+`).FindString(path))
	return value
}

// inspect returns the version of the programs in a directory. It runs them as the
// server's user, which proves that this user can.
func inspect(ctx context.Context, owner account, directory string) (Installation, error) {
	for _, program := range []string{"postgres", "initdb"} {
		if err := checkProgram(filepath.Join(directory, program)); err != nil {
			return Installation{}, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	output, err := owner.run(ctx, "/", filepath.Join(directory, "postgres"), "--version")
	if err != nil {
		return Installation{}, err
	}
	return parseVersion(directory, output)
}

// checkProgram rejects scripts: a wrapper's process ID may not be the server's.
func checkProgram(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("inspect server program: %w", err)
	}
	defer func() { _ = file.Close() }()
	start := make([]byte, 2)
	if _, err := io.ReadFull(file, start); err != nil {
		return fmt.Errorf("inspect %s: %w", path, err)
	}
	if string(start) == "#!" {
		return fmt.Errorf("inspect %s: it is a script", path)
	}
	return nil
}

func parseVersion(directory, output string) (Installation, error) {
	match := regexp.MustCompile(`\(PostgreSQL\) ((\d+)\S*)`).FindStringSubmatch(output)
	if match == nil {
		return Installation{}, fmt.Errorf("parse version of %s: %q", directory, output)
	}
	major, err := strconv.Atoi(match[2])
	if err != nil {
		return Installation{}, fmt.Errorf("parse version of %s: %w", directory, err)
	}
	return Installation{BinDir: directory, Major: major, Version: match[1]}, nil
}
