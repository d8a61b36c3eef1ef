package localrun_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

func TestRunGivesTheOutputAndTheCause(t *testing.T) {
	t.Parallel()
	got, err := localrun.Run(deadline(t), exec.Command("sh", "-c", "echo out; echo err >&2"))
	if err != nil || got != "out\n" {
		t.Errorf("got %q, %v", got, err)
	}
	_, err = localrun.Run(deadline(t), exec.Command("sh", "-c", "echo why >&2; exit 4"))
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 4 || !strings.Contains(err.Error(), "why") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := localrun.Run(ctx, exec.Command("sleep", "1000")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestStopKillsTheWholeGroup(t *testing.T) {
	t.Parallel()
	process, err := localrun.Start(exec.Command("sh", "-c", "trap '' TERM; sleep 1000"), syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	process.Stop(syscall.SIGTERM, 100*time.Millisecond)
	if process.Err() == nil {
		t.Error("a killed process ended well")
	}
	if err := process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("a signal to an ended process: %v", err)
	}
}

func TestLockKeepsOthersOut(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "inner", "lock")
	unlock, err := localrun.Lock(deadline(t), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := localrun.Lock(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	unlock()
	unlock, err = localrun.Lock(deadline(t), path)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestTempCacheRefusesWhatOthersCanWrite(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	directory, err := localrun.TempCache(parent)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := localrun.TempCache(parent); err != nil || again != directory {
		t.Errorf("again: %s, %v", again, err)
	}
	if err := os.Chmod(directory, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := localrun.TempCache(parent); err == nil {
		t.Error("a directory that everybody can write was taken")
	}
}

func TestFreePortCanBeListenedOn(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	if localrun.PortFree(listener.Addr().(*net.TCPAddr).Port) {
		t.Error("a port that is taken counts as free")
	}
	if port, err := localrun.FreePort(); err != nil || port == 0 {
		t.Errorf("got %d, %v", port, err)
	}
}

func TestRepositoryRootHoldsTheModule(t *testing.T) {
	t.Parallel()
	root, err := localrun.RepositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "internal", "testkit", "localrun")); err != nil {
		t.Error(err)
	}
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
