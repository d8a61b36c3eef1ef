// Package runtimeapi implements the AWS Lambda Runtime API and runs a built
// function (a provided.al2023 binary) under it as a child process, without
// Docker: for tests, make invoke and the benchmark.
//
// The protocol is version 2018-06-01, described at
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.
package runtimeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

const (
	// DefaultTimeout limits an invocation unless Config has another timeout. It is
	// the timeout that headgate's functions are deployed with.
	DefaultTimeout = 28 * time.Second
	// MaxPayload is Lambda's limit for the event and the response of a synchronous
	// invocation, in bytes.
	MaxPayload = 6 << 20

	initTimeout   = 30 * time.Second
	headerTimeout = 10 * time.Second
	stopGrace     = 2 * time.Second
)

// ErrTimeout is wrapped by the error of an invocation that exceeded its timeout.
// The process was killed for it, as in Lambda.
var ErrTimeout = errors.New("invocation timed out")

// Config configures a function.
type Config struct {
	// Binary is the path of the function's bootstrap.
	Binary string
	// Env is the function's environment as NAME=value, in addition to the variables
	// that Lambda sets. It overrides those, except for the address of the Runtime
	// API. The caller's own environment is not inherited.
	Env []string
	// Timeout limits one invocation; 0 means DefaultTimeout.
	Timeout time.Duration
	// FunctionName is the function's name; empty means the name of the directory
	// that holds the binary.
	FunctionName string
}

// Function is one process, which like an instance in Lambda handles one
// invocation at a time. Its methods are safe for concurrent use.
type Function struct {
	config  Config
	api     *api
	server  *http.Server
	process *localrun.Process
	logs    localrun.Output
	started time.Time
	turn    chan struct{}

	mu     sync.Mutex
	memory Memory
}

// Result is the outcome of an invocation that the function answered.
type Result struct {
	// Payload is the function's response, or its error as JSON.
	Payload []byte
	// FunctionError is the error that the function reported, or nil.
	FunctionError *FunctionError
	// Duration is the time from sending the event to the end of the response.
	Duration time.Duration
}

// FunctionError is an error that the function itself reported.
type FunctionError struct {
	// Message is the error's text.
	Message string `json:"errorMessage"`
	// Type is the name of the error's Go type, as aws-lambda-go reports it.
	Type string `json:"errorType"`
}

// Error returns the type and the message.
func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// Start starts the function and returns once it asks for its first event. If it
// fails before, the error has its exit status and the end of its output. The end
// of ctx ends the wait and not the function: every started function needs a Stop.
func Start(ctx context.Context, config Config) (*Function, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", config.Binary, err)
	}
	f, err := start(config)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", config.FunctionName, err)
	}
	if err := f.awaitFirstNext(ctx); err != nil {
		f.Stop()
		return nil, fmt.Errorf("start %s: %w\noutput:\n%s", config.FunctionName, err, localrun.Tail(f.Logs()))
	}
	return f, nil
}

// start starts the API and the process.
func start(config Config) (*Function, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	f := &Function{config: config, api: newAPI(config), turn: make(chan struct{}, 1), started: time.Now()}
	f.server = &http.Server{Handler: f.api.handler(), ReadHeaderTimeout: headerTimeout}
	go func() { _ = f.server.Serve(listener) }() // returns when Stop closes the server
	cmd := exec.Command(config.Binary)
	cmd.Dir = filepath.Dir(config.Binary)
	cmd.Env = config.environment(listener.Addr().String())
	cmd.Stdout, cmd.Stderr = &f.logs, &f.logs
	if f.process, err = localrun.Start(cmd, syscall.SIGKILL); err != nil {
		return nil, errors.Join(err, f.server.Close())
	}
	return f, nil
}

func (c Config) withDefaults() (Config, error) {
	path, err := filepath.Abs(c.Binary)
	if err != nil {
		return c, fmt.Errorf("resolve path: %w", err)
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
	ctx, cancel := context.WithTimeout(ctx, initTimeout)
	defer cancel()
	select {
	case <-f.api.firstNext:
		return nil
	case failure := <-f.api.initFailure:
		return fmt.Errorf("initialize: %w", failure)
	case <-f.process.Done():
		return f.process.Ended()
	case <-ctx.Done():
		return fmt.Errorf("wait for the first request for an event: %w", ctx.Err())
	}
}

// Invoke sends the event, which must be JSON, to the function and waits for the
// response. Concurrent calls take turns. The Result has an error that the
// function reports itself; the returned error wraps localrun.ErrEnded, ErrTimeout
// or the error of ctx. After the latter the function still handles the event,
// and the next Invoke waits for it.
func (f *Function) Invoke(ctx context.Context, event []byte) (Result, error) {
	result, err := f.invoke(ctx, event)
	if err != nil {
		return Result{}, fmt.Errorf("invoke %s: %w", f.config.FunctionName, err)
	}
	return result, nil
}

func (f *Function) invoke(ctx context.Context, event []byte) (Result, error) {
	if len(event) > MaxPayload || !json.Valid(event) {
		return Result{}, fmt.Errorf("the event is not JSON of at most %d bytes", MaxPayload)
	}
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
	pending := newInvocation(event)
	// The function may still handle an event whose caller gave up. That takes one
	// timeout at most, so the timer starts anew when the function takes this event.
	timer := time.NewTimer(f.config.Timeout)
	defer timer.Stop()
	select {
	case f.api.pending <- pending:
		timer.Reset(f.config.Timeout)
	case <-f.process.Done():
		return Result{}, f.process.Ended()
	case <-ctx.Done():
		return Result{}, ctx.Err()
	case <-timer.C:
		return f.timeOut()
	}
	select {
	case result := <-pending.result:
		f.sampleMemory()
		return result, nil
	case <-f.process.Done():
		return f.lastResult(pending)
	case <-ctx.Done():
		return Result{}, ctx.Err()
	case <-timer.C:
		return f.timeOut()
	}
}

// lastResult returns the response of a process that ended after sending it.
func (f *Function) lastResult(pending *invocation) (Result, error) {
	select {
	case result := <-pending.result:
		return result, nil
	default:
		return Result{}, f.process.Ended()
	}
}

func (f *Function) timeOut() (Result, error) {
	f.Kill()
	return Result{}, fmt.Errorf("%w after %s", ErrTimeout, f.config.Timeout)
}

// Kill kills the process, as when Lambda loses an instance, and returns once it
// has ended.
func (f *Function) Kill() {
	f.sampleMemory()
	f.process.Kill()
}

// Stop ends the process and the API. It may be called more than once.
func (f *Function) Stop() {
	f.sampleMemory()
	f.process.Stop(syscall.SIGTERM, stopGrace)
	_ = f.server.Close() // nothing uses its connections any more
}

// Logs returns the last 4 MiB that the function wrote to its standard output and
// error.
func (f *Function) Logs() string { return f.logs.String() }

// TimeToFirstNext returns the time from starting the process to its first
// request for an event.
func (f *Function) TimeToFirstNext() time.Duration { return f.api.firstNextAt.Sub(f.started) }

// PID returns the process ID.
func (f *Function) PID() int { return f.process.PID() }
