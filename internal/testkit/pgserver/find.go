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

// OldestMajor and NewestMajor are the majors of Postgres that this package can
// install and knows how to run.
const (
	OldestMajor = 12
	NewestMajor = 18
)

const versionDeadline = 20 * time.Second

// Installation is a set of Postgres server programs.
type Installation struct {
	// BinDir is the directory of initdb and postgres.
	BinDir string
	// Major is the major version, such as 17.
	Major int
	// Version is the full version as the programs give it, such as 17.10.
	Version string
}

// ErrNotFound says that the machine has no Postgres server programs.
var ErrNotFound = errors.New("no Postgres server programs on this machine")

// Find looks for the server programs on this machine, on PATH first, and
// returns the first ones that the server's user can run and whose major is
// known. Where there are none the error is ErrNotFound.
func Find(ctx context.Context) (Installation, error) {
	owner, err := serverAccount()
	if err != nil {
		return Installation{}, err
	}
	var failures []error
	for _, directory := range candidates(ctx) {
		installation, err := inspect(ctx, owner, directory)
		if err == nil {
			return installation, nil
		}
		failures = append(failures, err)
	}
	return Installation{}, fmt.Errorf("%w: %w", ErrNotFound, errors.Join(failures...))
}

// candidates lists directories that may hold the programs, best first.
func candidates(ctx context.Context) []string {
	var found []string
	for _, program := range []string{"postgres", "initdb"} {
		path, err := exec.LookPath(program)
		if err != nil {
			continue
		}
		// Where PATH holds a link, the other programs are beside its target.
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			found = append(found, filepath.Dir(resolved))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, versionDeadline)
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
		// The patterns are well-formed, which is all that Glob can object to.
		matches, _ := filepath.Glob(pattern)
		slices.SortFunc(matches, func(a, b string) int { return cmp.Compare(number(b), number(a)) })
		found = append(found, matches...)
	}
	return slices.Compact(found)
}

// number is the first number in a path, 0 where there is none.
func number(path string) int {
	value, _ := strconv.Atoi(regexp.MustCompile(`\d+`).FindString(path))
	return value
}

// inspect finds out what a directory of programs is by running them as the
// user that will run the server, which also shows that this user can.
func inspect(ctx context.Context, owner account, directory string) (Installation, error) {
	for _, program := range []string{"postgres", "initdb"} {
		if err := checkProgram(filepath.Join(directory, program)); err != nil {
			return Installation{}, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, versionDeadline)
	defer cancel()
	output, err := owner.run(ctx, "/", filepath.Join(directory, "postgres"), "--version")
	if err != nil {
		return Installation{}, err
	}
	return parseVersion(directory, output)
}

// checkProgram refuses scripts: a wrapper's process ID need not be the server's.
func checkProgram(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("look at a server program: %w", err)
	}
	defer func() { _ = file.Close() }()
	start := make([]byte, 2)
	if _, err := io.ReadFull(file, start); err != nil {
		return fmt.Errorf("look at %s: %w", path, err)
	}
	if string(start) == "#!" {
		return fmt.Errorf("look at %s: it is a script", path)
	}
	return nil
}

func parseVersion(directory, output string) (Installation, error) {
	match := regexp.MustCompile(`\(PostgreSQL\) ((\d+)\S*)`).FindStringSubmatch(output)
	if match == nil {
		return Installation{}, fmt.Errorf("read the version of %s: got %q", directory, output)
	}
	major, err := strconv.Atoi(match[2])
	if err != nil {
		return Installation{}, fmt.Errorf("read the version of %s: %w", directory, err)
	}
	if major < OldestMajor {
		return Installation{}, fmt.Errorf("%s holds Postgres %s, older than %d", directory, match[1], OldestMajor)
	}
	return Installation{BinDir: directory, Major: major, Version: match[1]}, nil
}
