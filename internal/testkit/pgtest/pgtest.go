// Package pgtest starts throwaway Postgres servers for tests.
package pgtest

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/testkit/pgserver"
)

// MajorVariable is the environment variable with the major version of Postgres to
// test with, such as 16. If it is empty, the tests use the machine's version.
const MajorVariable = "PG_MAJOR"

// timeout includes an installation, which downloads packages.
const timeout = 20 * time.Minute

// Start starts a server that is stopped when the test ends.
func Start(tb testing.TB, options pgserver.Options) *pgserver.Server {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	server, err := start(ctx, options)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Stop)
	return server
}

// StartStandby starts a standby that is stopped when the test ends, before a
// primary of the same test.
func StartStandby(tb testing.TB, primary *pgserver.Server, options pgserver.Options) *pgserver.Server {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	standby, err := pgserver.StartStandby(ctx, primary, options)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(standby.Stop)
	return standby
}

// Main is for a TestMain. It starts a server, passes it to set, runs the tests,
// stops the server and returns the exit status.
func Main(m *testing.M, options pgserver.Options, set func(*pgserver.Server)) int {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	server, err := start(ctx, options)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer server.Stop()
	set(server)
	return m.Run()
}

func start(ctx context.Context, options pgserver.Options) (*pgserver.Server, error) {
	if options.Installation.BinDir == "" {
		installation, err := Installation(ctx)
		if err != nil {
			return nil, err
		}
		options.Installation = installation
	}
	return pgserver.Start(ctx, options)
}

// Installation returns the programs of the version in MajorVariable or, if that is
// empty, those of the machine.
func Installation(ctx context.Context) (pgserver.Installation, error) {
	value := os.Getenv(MajorVariable)
	if value == "" {
		return pgserver.FindOrInstall(ctx)
	}
	major, err := strconv.Atoi(value)
	if err != nil {
		return pgserver.Installation{}, fmt.Errorf("%s: %w", MajorVariable, err)
	}
	return pgserver.Install(ctx, major)
}
