// Package devtest starts development servers for tests.
package devtest

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/headgate/headgate/internal/devserver"
	"github.com/headgate/headgate/internal/testkit/deployment"
)

// Start starts a development server with these variables ("NAME=value"), by default on a
// free port and over a new file. It is closed when the test ends.
func Start(t testing.TB, variables ...string) *devserver.Server {
	t.Helper()
	variables = append([]string{"PORT=0", "DATA_FILE=" + filepath.Join(t.TempDir(), "headgate.db")}, variables...)
	config, err := devserver.Load(deployment.Lookup(variables))
	if err != nil {
		t.Fatal(err)
	}
	server, err := devserver.Start(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}
