// Package localrun is what the stand-ins for servers share: child processes
// that die with their parent, a cache inside the repository that several
// processes may fill at once, free ports, and the system's package manager.
// It is for tests and the development server, never for a Lambda function.
package localrun

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Process is a started child process. Its methods may be called from several
// goroutines at once.
type Process struct {
	process *os.Process
	done    chan struct{}
	err     error
}

// Start starts cmd in a process group of its own. On Linux the system sends it
// onParentDeath as soon as this process is gone, however that came about.
// cmd must not have been started and is not to be waited for by the caller.
func Start(cmd *exec.Cmd, onParentDeath syscall.Signal) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	dieWithParent(cmd.SysProcAttr, onParentDeath)

	p := &Process{done: make(chan struct{})}
	started := make(chan error, 1)
	go p.run(cmd, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// run keeps its thread until the child has ended: Linux ties the signal of a
// parent's death to the thread that started the child, not to the process, and
// Go ends threads when it likes.
func (p *Process) run(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	p.process = cmd.Process
	started <- nil
	p.err = cmd.Wait()
	close(p.done)
}

// PID is the child's process ID, which is also its process group's.
func (p *Process) PID() int { return p.process.Pid }

// Done is closed once the child has ended and its output is complete.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is how the child ended, nil for exit status 0. It waits for Done.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Signal sends the child a signal; a child that has ended is no error.
func (p *Process) Signal(signal syscall.Signal) error {
	if err := p.process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal process %d: %w", p.PID(), err)
	}
	return nil
}

// Stop asks the child to end with the given signal, kills its whole process
// group when it has not done so within patience, and returns once it has ended.
func (p *Process) Stop(signal syscall.Signal, patience time.Duration) {
	_ = p.Signal(signal)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
		return
	case <-timer.C:
	}
	// The group still exists as long as its leader has not been waited for.
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	_ = p.Signal(syscall.SIGKILL)
	<-p.done
}
