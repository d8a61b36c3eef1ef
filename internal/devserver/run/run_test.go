package main_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/devserver"
	"github.com/headgate/headgate/internal/localstore"
)

// timeout covers an installation of Postgres, on a machine without one.
const timeout = 10 * time.Minute

func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "devserver")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("build the command: %v\n%s", err, output)
	}
	return path
}

// output collects what the command writes, and closes ready once it contains mark.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	mark  string
	ready chan struct{}
}

func (o *output) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := strings.Contains(o.text.String(), o.mark)
	o.text.Write(data)
	if !before && strings.Contains(o.text.String(), o.mark) {
		close(o.ready)
	}
	return len(data), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func command(ctx context.Context, binary, file string, vars ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = append(os.Environ(), append([]string{"PORT=0", "DATA_FILE=" + file, "API_KEY=", "SAMPLE=", "EGRESS_ALLOW=", "LISTEN_ADDRESS="}, vars...)...)
	return cmd
}

func wantRegistered(t *testing.T, file string, want int) {
	t.Helper()
	store, err := localstore.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	found, err := store.Catalog().List(t.Context(), devserver.Account, "", 10)
	if err != nil || len(found) != want {
		t.Errorf("%d databases are registered, want %d (%v)", len(found), want, err)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	binary := build(t)
	const created, ready = "HTTP/1.1 201 Created", "Ready."
	for name, test := range map[string]struct {
		signal syscall.Signal
		vars   []string
		holds  []string
	}{
		"SIGINT removes the sample":               {syscall.SIGINT, nil, []string{created, `"password": "************"`, "$ curl -i http://127.0.0.1:"}},
		"SIGTERM removes the sample":              {syscall.SIGTERM, nil, []string{created}},
		"SAMPLE=0 registers nothing":              {syscall.SIGINT, []string{"SAMPLE=0"}, nil},
		"a sample that is rejected is shown, too": {syscall.SIGINT, []string{"EGRESS_ALLOW=10.0.0.0/8"}, []string{"HTTP/1.1 422"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			file := filepath.Join(t.TempDir(), "headgate.db")
			out := &output{mark: ready, ready: make(chan struct{})}
			cmd := command(ctx, binary, file, test.vars...)
			cmd.Stdout, cmd.Stderr = out, out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case <-out.ready:
			case err := <-ended:
				t.Fatalf("it ended: %v\n%s", err, out)
			}
			if err := cmd.Process.Signal(test.signal); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err != nil {
				t.Errorf("it ended with %v\n%s", err, out)
			}
			for _, want := range test.holds {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is not in its output:\n%s", want, out)
				}
			}
			wantRegistered(t, file, 0)
		})
	}
}

func TestRun_SecondOnOneFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "headgate.db")
	store, err := localstore.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	text, err := command(t.Context(), build(t), file).CombinedOutput()
	if err == nil || !strings.Contains(string(text), "set DATA_FILE") {
		t.Errorf("error %v, output %s", err, text)
	}
}
