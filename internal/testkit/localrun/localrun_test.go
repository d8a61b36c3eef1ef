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

// within returns a context for everything that a test waits for.
func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

func TestRun(t *testing.T) {
	t.Parallel()
	t.Run("returns the standard output alone", func(t *testing.T) {
		t.Parallel()
		got, err := localrun.Run(within(t, time.Minute), exec.Command("sh", "-c", "echo out; echo err >&2"))
		if err != nil || got != "out\n" {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("the error has the exit status and the output", func(t *testing.T) {
		t.Parallel()
		_, err := localrun.Run(within(t, time.Minute), exec.Command("sh", "-c", "echo why >&2; exit 4"))
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.ExitCode() != 4 || !strings.Contains(err.Error(), "why") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("the end of the context kills the command", func(t *testing.T) {
		t.Parallel()
		_, err := localrun.Run(within(t, 50*time.Millisecond), exec.Command("sleep", "1000"))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}

func TestProcess_EndedProcess(t *testing.T) {
	t.Parallel()
	process, err := localrun.Start(exec.Command("true"), syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Err(); err != nil {
		t.Error(err)
	}
	process.Kill()
	process.Stop(syscall.SIGTERM, time.Minute)
	if err := process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if state, ended := process.State(); !ended || !state.Success() {
		t.Errorf("state %v", state)
	}
}

func TestProcess_Await(t *testing.T) {
	t.Parallel()
	t.Run("a process that ends is not waited for", func(t *testing.T) {
		t.Parallel()
		process, err := localrun.Start(exec.Command("sh", "-c", "exit 3"), syscall.SIGKILL)
		if err != nil {
			t.Fatal(err)
		}
		notReady := errors.New("not ready")
		err = process.Await(within(t, time.Minute), time.Millisecond, func(context.Context) error { return notReady })
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.ExitCode() != 3 || !errors.Is(err, localrun.ErrEnded) || !errors.Is(err, notReady) {
			t.Errorf("error %v", err)
		}
	})
}

func TestOutput_Limit(t *testing.T) {
	t.Parallel()
	var output localrun.Output
	const limit = 4 << 20
	for _, text := range []string{"first", strings.Repeat("x", limit), strings.Repeat("y", limit), "last"} {
		if n, err := output.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatalf("wrote %d bytes, %v", n, err)
		}
	}
	if got := output.String(); len(got) != limit || strings.Contains(got, "x") || !strings.HasSuffix(got, "ylast") {
		t.Errorf("%d bytes are kept, ending in %q", len(got), got[len(got)-5:])
	}
	output.Reset()
	if got := output.String(); got != "" {
		t.Errorf("after a reset it holds %q", got)
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "inner", "lock")
	for range 2 {
		unlock, err := localrun.Lock(within(t, time.Minute), path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := localrun.Lock(within(t, 100*time.Millisecond), path); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a second lock: error %v", err)
		}
		unlock()
	}
}

func TestTempCache(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	directory, err := localrun.TempCache(parent)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := localrun.TempCache(parent); err != nil || again != directory {
		t.Errorf("the second call returns %s, %v", again, err)
	}
	if err := os.Chmod(directory, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := localrun.TempCache(parent); err == nil {
		t.Error("a directory that every user can write to is accepted")
	}
}

func TestFreePort(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	if localrun.PortFree(listener.Addr().(*net.TCPAddr).Port) {
		t.Error("a port in use is reported as free")
	}
	if port, err := localrun.FreePort(); err != nil || port == 0 {
		t.Errorf("got %d, %v", port, err)
	}
}

func TestRepositoryRoot(t *testing.T) {
	t.Parallel()
	root, err := localrun.RepositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "internal", "testkit", "localrun")); err != nil {
		t.Error(err)
	}
	if err := localrun.TrackSources(); err != nil {
		t.Error(err)
	}
}
