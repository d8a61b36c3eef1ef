package runtimeapi

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	defaultRegion = "us-east-1"
	memorySize    = "256"
	// outputWait is how long output is read from a process that is gone, as a
	// child of its own may hold its output open.
	outputWait = time.Second
)

// child is the function's process.
type child struct {
	process *os.Process
	logs    logBuffer
	done    chan struct{}
	err     error         // how it ended, once done is closed
	usage   int64         // peak by the process's accounts, once done is closed
	cpu     time.Duration // user and system time, once done is closed
	highest atomic.Int64
	ending  sync.Mutex
}

func startChild(binary string, environment []string) (*child, error) {
	cmd := exec.Command(binary)
	cmd.Dir = filepath.Dir(binary)
	cmd.Env = environment
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = outputWait
	dieWithParent(cmd.SysProcAttr)
	c := &child{done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &c.logs, &c.logs
	started := make(chan error, 1)
	go c.run(cmd, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start the process: %w", err)
	}
	return c, nil
}

// run keeps its thread until the process has ended: Linux ties the signal of a
// parent's death to the thread that started the process.
func (c *child) run(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	c.process = cmd.Process
	started <- nil
	c.err = cmd.Wait()
	c.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		c.usage = int64(usage.Maxrss)
		if runtime.GOOS == "linux" { // which counts in KiB
			c.usage *= 1024
		}
	}
	close(c.done)
}

func (c *child) kill() {
	c.ending.Lock()
	defer c.ending.Unlock()
	c.samplePeak()
	c.signalGroup(syscall.SIGKILL)
	<-c.done
}

func (c *child) stop(patience time.Duration) {
	c.ending.Lock()
	defer c.ending.Unlock()
	c.samplePeak()
	c.signalGroup(syscall.SIGTERM)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
		c.signalGroup(syscall.SIGKILL)
		<-c.done
	}
}

// signalGroup signals the process and whatever it started, unless it is known
// to be gone: then its ID may be somebody else's.
func (c *child) signalGroup(signal syscall.Signal) {
	select {
	case <-c.done:
	default:
		// That the group has just ended is no failure.
		_ = syscall.Kill(-c.process.Pid, signal)
	}
}

// samplePeak reads the peak from the system's account of the process's memory.
// What the process leaves in its usage at its end is no good measure: Linux
// carries the memory of the parent over to it at exec.
func (c *child) samplePeak() {
	select {
	case <-c.done:
		return
	default:
	}
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", c.process.Pid))
	if err != nil {
		return
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		rest, found := strings.CutPrefix(lines.Text(), "VmHWM:")
		if !found {
			continue
		}
		number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		if kibibytes, err := strconv.ParseInt(number, 10, 64); err == nil {
			c.highest.Store(kibibytes * 1024)
		}
	}
}

func (c *child) peak() int64 {
	if highest := c.highest.Load(); highest != 0 {
		return highest
	}
	select {
	case <-c.done:
		return c.usage
	default:
		return 0
	}
}

// cpuTime is 0 for a process that has not ended.
func (c *child) cpuTime() time.Duration {
	select {
	case <-c.done:
		return c.cpu
	default:
		return 0
	}
}

// environment is the function's environment: what Lambda sets, then what the
// caller wants, then the way to the API at that address.
func (c Config) environment(address string) []string {
	region := c.region()
	environment := []string{
		"PATH=/usr/local/bin:/usr/bin/:/bin:/opt/bin",
		"LANG=en_US.UTF-8",
		"TZ=:UTC",
		"_HANDLER=bootstrap",
		"LAMBDA_TASK_ROOT=" + filepath.Dir(c.Binary),
		"AWS_REGION=" + region,
		"AWS_DEFAULT_REGION=" + region,
		"AWS_LAMBDA_FUNCTION_NAME=" + c.FunctionName,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + memorySize,
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + c.FunctionName,
		"AWS_LAMBDA_LOG_STREAM_NAME=local",
	}
	environment = append(environment, c.Env...)
	return append(environment, "AWS_LAMBDA_RUNTIME_API="+address)
}

// region is the caller's, or the default.
func (c Config) region() string {
	region := defaultRegion
	for _, variable := range c.Env {
		if value, found := strings.CutPrefix(variable, "AWS_REGION="); found {
			region = value
		}
	}
	return region
}
