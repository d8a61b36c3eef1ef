package localrun

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	outputTail  = 4000
	aptDeadline = 15 * time.Minute
)

// Run runs cmd to its end and returns what it wrote to its standard output.
// The error carries the end of everything that it wrote. On Linux the command
// is killed when this process dies.
func Run(ctx context.Context, cmd *exec.Cmd) (string, error) {
	output := &output{}
	cmd.Stdout = stream{output, true}
	cmd.Stderr = stream{output, false}
	// A grandchild that keeps the pipes open is not to hold up the command.
	cmd.WaitDelay = time.Second
	process, err := Start(cmd, syscall.SIGKILL)
	if err != nil {
		return "", err
	}
	select {
	case <-process.Done():
	case <-ctx.Done():
		process.Stop(syscall.SIGKILL, time.Second)
		return "", fmt.Errorf("run %s: %w", filepath.Base(cmd.Path), ctx.Err())
	}
	if err := process.Err(); err != nil {
		return "", fmt.Errorf("run %s: %w: %s", filepath.Base(cmd.Path), err, Tail(output.all.String(), outputTail))
	}
	return output.standard.String(), nil
}

// output collects what a command writes; its two streams write concurrently.
type output struct {
	mu            sync.Mutex
	standard, all strings.Builder
}

type stream struct {
	output   *output
	standard bool
}

func (s stream) Write(data []byte) (int, error) {
	s.output.mu.Lock()
	defer s.output.mu.Unlock()
	if s.standard {
		s.output.standard.Write(data)
	}
	return s.output.all.Write(data)
}

// Tail is the end of text, at most limit bytes of it, without space around it.
func Tail(text string, limit int) string {
	text = strings.TrimSpace(text)
	if len(text) > limit {
		text = "…" + text[len(text)-limit:]
	}
	return text
}

// AptInstall installs Debian packages. It needs root and apt-get, and says so
// where one of them is missing.
func AptInstall(ctx context.Context, packages ...string) error {
	wanted := strings.Join(packages, " ")
	if os.Geteuid() != 0 {
		return fmt.Errorf("install %s: needs root; install it by hand", wanted)
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("install %s: no apt-get here; install it by hand: %w", wanted, err)
	}
	ctx, cancel := context.WithTimeout(ctx, aptDeadline)
	defer cancel()
	unlock, err := Lock(ctx, filepath.Join(os.TempDir(), "headgate-apt.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if err := apt(ctx, "update"); err != nil {
		return err
	}
	return apt(ctx, append([]string{"install", "-y", "--no-install-recommends"}, packages...)...)
}

func apt(ctx context.Context, arguments ...string) error {
	// Another apt-get on the machine is waited for, not run into.
	cmd := exec.Command("apt-get", append([]string{"-o", "DPkg::Lock::Timeout=300"}, arguments...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	_, err := Run(ctx, cmd)
	return err
}
