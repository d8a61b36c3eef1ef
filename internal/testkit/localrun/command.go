package localrun

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Run runs cmd to its end and returns its standard output. The error carries
// the end of everything that cmd wrote. cmd is killed when ctx ends and, on
// Linux, when this process dies.
func Run(ctx context.Context, cmd *exec.Cmd) (string, error) {
	var stdout bytes.Buffer
	var all Output
	cmd.Stdout = io.MultiWriter(&stdout, &all)
	cmd.Stderr = &all
	process, err := Start(cmd, syscall.SIGKILL)
	if err != nil {
		return "", err
	}
	select {
	case <-process.Done():
	case <-ctx.Done():
		process.Kill()
		return "", fmt.Errorf("run %s: %w", filepath.Base(cmd.Path), ctx.Err())
	}
	if err := process.Err(); err != nil {
		return "", fmt.Errorf("run %s: %w: %s", filepath.Base(cmd.Path), err, Tail(all.String()))
	}
	return stdout.String(), nil
}
