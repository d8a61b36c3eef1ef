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

// MajorVariable is the environment variable that names the major of Postgres
// to test with, such as 16, which is then installed. Where it is empty the
// tests take what the machine has.
const MajorVariable = "PG_MAJOR"

// deadline covers an installation as well, which downloads.
const deadline = 20 * time.Minute

// Start starts a server that is stopped when the test ends.
func Start(tb testing.TB, options pgserver.Options) *pgserver.Server {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	server, err := start(ctx, options)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Stop)
	return server
}

// StartStandby starts a standby of the primary that is stopped when the test
// ends, before a primary that was started with Start in the same test.
func StartStandby(tb testing.TB, primary *pgserver.Server, options pgserver.Options) *pgserver.Server {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	standby, err := pgserver.StartStandby(ctx, primary, options)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(standby.Stop)
	return standby
}

// Main is for a TestMain: it starts one server for the package's tests, hands
// it to set, runs the tests, stops the server and returns the exit status.
func Main(m *testing.M, options pgserver.Options, set func(*pgserver.Server)) int {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
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

// Installation is the programs that the environment variable asks for, or
// those that the machine has.
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
