// Package runtimeapi is a stand-in for the AWS Lambda Runtime API: it runs a
// built function (a provided.al2023 binary) as a child process, without Docker,
// for tests, for make invoke and for the benchmark.
//
// The protocol is that of version 2018-06-01, described at
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.
package runtimeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"
)

const (
	// DefaultTimeout is how long an invocation may take unless Config says
	// otherwise: headgate's functions are deployed with it.
	DefaultTimeout = 28 * time.Second
	// MaxPayload is the largest event and the largest answer, in bytes: Lambda's
	// limit for synchronous invocations.
	MaxPayload = 6 << 20

	initDeadline  = 30 * time.Second
	headerTimeout = 10 * time.Second
	stopPatience  = 2 * time.Second
	logTail       = 4000
)

var (
	// ErrEnded says that the function's process is gone. The error that wraps it
	// tells its exit status.
	ErrEnded = errors.New("the function's process has ended")
	// ErrTimeout says that an invocation took longer than it may. As in Lambda
	// the process was killed for it.
	ErrTimeout = errors.New("the invocation timed out")
)

// Config says which function to run, and how.
type Config struct {
	// Binary is the path of the function's bootstrap.
	Binary string
	// Env is the function's environment as NAME=value, in addition to what
	// Lambda sets; nothing else is handed on. It wins over Lambda's variables
	// save the one that leads to this API.
	Env []string
	// Timeout is how long one invocation may take; 0 for DefaultTimeout.
	Timeout time.Duration
	// FunctionName is the function's name; empty for the name of the directory
	// that holds the binary.
	FunctionName string
}

// Function is a running function: one process, which like an instance in Lambda
// handles one invocation at a time. Its methods may be called from several
// goroutines at once.
type Function struct {
	config  Config
	api     *api
	server  *http.Server
	child   *child
	started time.Time
	turn    chan struct{}
}

// Result is what came of an invocation that ran to its end.
type Result struct {
	// Payload is the function's answer, or its error as JSON.
	Payload []byte
	// FunctionError is the error that the function reported; nil for an answer.
	FunctionError *FunctionError
	// Duration is the time from handing over the event to the answer's end.
	Duration time.Duration
}

// FunctionError is an error that a function reported itself.
type FunctionError struct {
	// Message is the error's text.
	Message string `json:"errorMessage"`
	// Type is the error's kind; aws-lambda-go gives the name of its Go type.
	Type string `json:"errorType"`
}

// Error is the type and the message.
func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// Start starts the function and returns once it asks for its first event. When
// it fails before that the error tells its exit status and the end of its
// output. The end of ctx ends the wait, not the function: that is what Stop is
// for, which every started function needs.
func Start(ctx context.Context, config Config) (*Function, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("start a function: %w", err)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start a function: listen: %w", err)
	}
	f := &Function{config: config, api: newAPI(config), turn: make(chan struct{}, 1), started: time.Now()}
	f.server = &http.Server{Handler: f.api.handler(), ReadHeaderTimeout: headerTimeout}
	// Serve ends with the Close in Stop and has nothing else to report.
	go func() { _ = f.server.Serve(listener) }()
	f.child, err = startChild(config.Binary, config.environment(listener.Addr().String()))
	if err != nil {
		_ = f.server.Close()
		return nil, fmt.Errorf("start %s: %w", config.FunctionName, err)
	}
	if err := f.awaitFirstNext(ctx); err != nil {
		f.Stop()
		return nil, fmt.Errorf("start %s: %w\noutput:\n%s", config.FunctionName, err, f.child.logs.tail(logTail))
	}
	return f, nil
}

func (c Config) withDefaults() (Config, error) {
	path, err := filepath.Abs(c.Binary)
	if err != nil {
		return c, fmt.Errorf("find the binary: %w", err)
	}
	c.Binary = path
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.FunctionName == "" {
		c.FunctionName = filepath.Base(filepath.Dir(path))
	}
	return c, nil
}

func (f *Function) awaitFirstNext(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, initDeadline)
	defer cancel()
	select {
	case <-f.api.firstNext:
		return nil
	case failure := <-f.api.initFailure:
		return fmt.Errorf("the function reported that it cannot start: %w", failure)
	case <-f.child.done:
		return f.ended()
	case <-ctx.Done():
		return fmt.Errorf("wait for the function to ask for an event: %w", ctx.Err())
	}
}

// Invoke hands the event, which is JSON, to the function and waits for what
// comes of it. Concurrent calls take turns. An error that the function reports
// is in the result; the error here says that there is none: ErrEnded, ErrTimeout
// or that ctx ended, in which case the function goes on with the event and the
// next Invoke waits for it.
func (f *Function) Invoke(ctx context.Context, event []byte) (Result, error) {
	if len(event) > MaxPayload || !json.Valid(event) {
		return Result{}, fmt.Errorf("invoke %s: the event is not JSON of at most %d bytes", f.config.FunctionName, MaxPayload)
	}
	result, err := f.invoke(ctx, event)
	if err != nil {
		return Result{}, fmt.Errorf("invoke %s: %w", f.config.FunctionName, err)
	}
	return result, nil
}

func (f *Function) invoke(ctx context.Context, event []byte) (Result, error) {
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
	pending := newInvocation(event)
	// Before the event is handed over an abandoned one may still run, and that
	// has a timeout's length at most.
	timer := time.NewTimer(f.config.Timeout)
	defer timer.Stop()
	select {
	case f.api.pending <- pending:
		timer.Reset(f.config.Timeout)
	case <-f.child.done:
		return Result{}, f.ended()
	case <-ctx.Done():
		return Result{}, ctx.Err()
	case <-timer.C:
		return f.timeOut()
	}
	select {
	case result := <-pending.result:
		f.child.samplePeak()
		return result, nil
	case <-f.child.done:
		return f.lastWord(pending)
	case <-ctx.Done():
		return Result{}, ctx.Err()
	case <-timer.C:
		return f.timeOut()
	}
}

// lastWord is the answer of a process that ended right after giving it.
func (f *Function) lastWord(pending *invocation) (Result, error) {
	select {
	case result := <-pending.result:
		return result, nil
	default:
		return Result{}, f.ended()
	}
}

func (f *Function) timeOut() (Result, error) {
	f.Kill()
	return Result{}, fmt.Errorf("%w after %s", ErrTimeout, f.config.Timeout)
}

func (f *Function) ended() error {
	if err := f.child.err; err != nil {
		return fmt.Errorf("%w: %w", ErrEnded, err)
	}
	return fmt.Errorf("%w: exit status 0", ErrEnded)
}

// Kill ends the process at once, as when an instance is lost, and returns when
// it is gone.
func (f *Function) Kill() { f.child.kill() }

// Stop ends the process and the API. It may be called again.
func (f *Function) Stop() {
	f.child.stop(stopPatience)
	// All that could fail is closing connections that nobody uses any more.
	_ = f.server.Close()
}

// Logs is what the function wrote to its standard output and error, the last
// 4 MiB of it.
func (f *Function) Logs() string { return f.child.logs.String() }

// TimeToFirstNext is the time from starting the process to its asking for its
// first event.
func (f *Function) TimeToFirstNext() time.Duration { return f.api.firstNextAt.Sub(f.started) }

// PID is the process ID.
func (f *Function) PID() int { return f.child.process.Pid }

// MaxRSS is the most memory that the process has had resident, in bytes, known
// after each invocation and after Stop.
func (f *Function) MaxRSS() int64 { return f.child.peak() }

// CPUTime is the user and system time that the process took from its start to
// its end; 0 while it runs.
func (f *Function) CPUTime() time.Duration { return f.child.cpuTime() }
