// Package localrun runs programs on this machine for the test kit and the
// development server: child processes that die with their parent, their output,
// free ports, caches that several processes may fill at once, and the programs
// that a package manager installs. No Lambda function imports it.
package localrun

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// outputWait is how long the output of a process that has ended is still read:
// a child of its own may hold the pipe open.
const outputWait = time.Second

// ErrEnded is wrapped by the errors about a process that ended by itself,
// together with its exit status.
var ErrEnded = errors.New("process ended")

// Process is a started child process. Its methods are safe for concurrent use.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start starts cmd in a process group of its own. On Linux the kernel sends it
// onParentDeath as soon as this process is gone. The caller must not wait for
// cmd itself.
func Start(cmd *exec.Cmd, onParentDeath syscall.Signal) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.WaitDelay = outputWait
	dieWithParent(cmd.SysProcAttr, onParentDeath)

	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// run keeps its thread until the child has ended. Linux ties the signal of a
// parent's death to the thread that started the child, and Go ends idle threads.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	started <- nil
	p.err = p.cmd.Wait()
	close(p.done)
}

// PID returns the child's process ID, which is also its process group's.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed once the child has ended and its output is complete.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err waits for Done and returns how the child ended, nil for exit status 0.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Ended waits for Done and returns an error that wraps ErrEnded and tells the
// exit status.
func (p *Process) Ended() error {
	<-p.done
	if p.err != nil {
		return fmt.Errorf("%w: %w", ErrEnded, p.err)
	}
	return fmt.Errorf("%w: %s", ErrEnded, p.cmd.ProcessState)
}

// State returns the exit status and resource usage of a child that has ended,
// and false while it runs.
func (p *Process) State() (*os.ProcessState, bool) {
	select {
	case <-p.done:
		return p.cmd.ProcessState, true
	default:
		return nil, false
	}
}

// Signal sends the child a signal. It is not an error if the child has ended.
func (p *Process) Signal(signal syscall.Signal) error {
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal process %d: %w", p.PID(), err)
	}
	return nil
}

// Kill kills the child and its process group and returns once the child has
// ended.
func (p *Process) Kill() {
	// The group's ID is not reused as long as its leader has not been waited for.
	if !errors.Is(p.cmd.Process.Signal(syscall.Signal(0)), os.ErrProcessDone) {
		_ = syscall.Kill(-p.PID(), syscall.SIGKILL) // the group may just have ended
	}
	<-p.done
}

// Stop sends the child a signal, kills it and its process group if it has not
// ended within grace, and returns once it has ended.
func (p *Process) Stop(signal syscall.Signal, grace time.Duration) {
	_ = p.Signal(signal) // if it fails, Kill follows
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.Kill()
	}
}

// Await calls ready every interval until it returns nil. It fails when the
// child ends or ctx does, with ready's last error.
func (p *Process) Await(ctx context.Context, interval time.Duration, ready func(context.Context) error) error {
	var notReady error
	err := Poll(ctx, interval, func() (bool, error) {
		if notReady = ready(ctx); notReady == nil {
			return true, nil
		}
		if _, ended := p.State(); ended {
			return false, p.Ended()
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", err, notReady)
	}
	return nil
}

// Poll calls done every interval until it returns true or an error, or ctx ends.
func Poll(ctx context.Context, interval time.Duration, done func() (bool, error)) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
