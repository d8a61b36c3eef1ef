package runtimeapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/testkit/localrun"
	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

// TestFunction builds the function of testdata once, since that takes the longest.
func TestFunction(t *testing.T) {
	t.Parallel()
	binary := build(t)
	for name, test := range map[string]func(*testing.T, string){
		"invocations return the payload, the log and times":      testEcho,
		"stop ends the process and records its resource usage":   testStop,
		"an error of the function is in the result":              testFunctionError,
		"a panic is in the result and ends the process":          testPanic,
		"an exit is an error with the status":                    testExit,
		"kill ends a running invocation":                         testKill,
		"a failed start is an error with the status and the log": testInitFailure,
		"a timeout ends the invocation":                          testTimeout,
		"the end of the context ends the wait":                   testContext,
		"a response of more than 6 MiB is refused":               testLargeResponse,
		"an event that is not JSON is refused":                   testInvalidEvent,
		"concurrent invocations take turns":                      testConcurrentInvocations,
		"the invoke command prints the answer and the log":       testInvokeCommand,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, binary)
		})
	}
}

func testEcho(t *testing.T, binary string) {
	function := start(t, runtimeapi.Config{Binary: binary})
	for n := range 3 {
		text := fmt.Sprint("hello ", n)
		result := invoke(t, function, "echo", text)
		if result.FunctionError != nil || string(result.Payload) != fmt.Sprintf("%q", text) {
			t.Errorf("got %s, %v", result.Payload, result.FunctionError)
		}
		if result.Duration <= 0 {
			t.Errorf("the duration is %s", result.Duration)
		}
	}
	if function.TimeToFirstNext() <= 0 {
		t.Errorf("time to first next is %s", function.TimeToFirstNext())
	}
	if !strings.Contains(function.Logs(), "asked to echo") {
		t.Errorf("the log is %q", function.Logs())
	}
}

func testStop(t *testing.T, binary string) {
	function := start(t, runtimeapi.Config{Binary: binary})
	pid := function.PID()
	if took := function.CPUTime(); took != 0 {
		t.Errorf("CPU time of a running process %s, want 0", took)
	}
	function.Stop()
	function.Stop()
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the process: %v", err)
	}
	memory := function.Memory()
	if runtime.GOOS == "linux" && (memory.Anonymous < 1<<18 || memory.Peak < memory.Anonymous || memory.Peak > 200<<20) {
		t.Errorf("memory %+v", memory)
	}
	if took := function.CPUTime(); took <= 0 || took > 10*time.Second {
		t.Errorf("CPU time %s", took)
	}
	if _, err := function.Invoke(t.Context(), []byte(`{}`)); !errors.Is(err, localrun.ErrEnded) {
		t.Errorf("an invocation after Stop: error %v", err)
	}
}

func testFunctionError(t *testing.T, binary string) {
	function := start(t, runtimeapi.Config{Binary: binary})
	result := invoke(t, function, "fail", "no luck")
	if failure := result.FunctionError; failure == nil || failure.Message != "no luck" || failure.Type != "errorString" {
		t.Errorf("got %v", failure)
	}
	if !json.Valid(result.Payload) {
		t.Errorf("the payload is %q", result.Payload)
	}
	if result := invoke(t, function, "echo", "well"); result.FunctionError != nil {
		t.Errorf("the next invocation: %v", result.FunctionError)
	}
}

func testPanic(t *testing.T, binary string) {
	function := start(t, runtimeapi.Config{Binary: binary})
	result := invoke(t, function, "panic", "oh no")
	if failure := result.FunctionError; failure == nil || failure.Message != "oh no" {
		t.Errorf("got %v", failure)
	}
	if _, err := function.Invoke(deadline(t), event("echo", "")); !errors.Is(err, localrun.ErrEnded) {
		t.Errorf("the next invocation: error %v", err)
	}
}

func testExit(t *testing.T, binary string) {
	function := start(t, runtimeapi.Config{Binary: binary})
	_, err := function.Invoke(deadline(t), event("exit", ""))
	var exit *exec.ExitError
	if !errors.Is(err, localrun.ErrEnded) || !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("got %v", err)
	}
}

func testKill(t *testing.T, binary string) {
	function := start(t, runtimeapi.Config{Binary: binary})
	failed := make(chan error, 1)
	go func() {
		_, err := function.Invoke(context.Background(), event("hang", ""))
		failed <- err
	}()
	waitForLog(t, function, "asked to hang")
	function.Kill()
	if err := <-failed; !errors.Is(err, localrun.ErrEnded) || !strings.Contains(err.Error(), "killed") {
		t.Errorf("got %v", err)
	}
}

func testInitFailure(t *testing.T, binary string) {
	_, err := runtimeapi.Start(deadline(t), runtimeapi.Config{Binary: binary, Env: []string{"FAIL_AT_START=1"}})
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(err.Error(), "fails on request") {
		t.Errorf("got %v", err)
	}
	if _, err := runtimeapi.Start(deadline(t), runtimeapi.Config{Binary: "no/such/bootstrap"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a binary: error %v", err)
	}
}

func testTimeout(t *testing.T, binary string) {
	function := start(t, runtimeapi.Config{Binary: binary, Timeout: 200 * time.Millisecond})
	if _, err := function.Invoke(deadline(t), event("hang", "")); !errors.Is(err, runtimeapi.ErrTimeout) {
		t.Errorf("got %v", err)
	}
}

func testContext(t *testing.T, binary string) {
	function := start(t, runtimeapi.Config{Binary: binary})
	ctx, cancel := context.WithCancel(context.Background())
	failed := make(chan error, 1)
	go func() {
		_, err := function.Invoke(ctx, event("hang", ""))
		failed <- err
	}()
	waitForLog(t, function, "asked to hang")
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func testLargeResponse(t *testing.T, binary string) {
	function := start(t, runtimeapi.Config{Binary: binary})
	result := invoke(t, function, "grow", "")
	if failure := result.FunctionError; failure == nil || failure.Type != "Function.ResponseSizeTooLarge" {
		t.Errorf("got %v", failure)
	}
}

func testInvalidEvent(t *testing.T, binary string) {
	function := start(t, runtimeapi.Config{Binary: binary})
	if _, err := function.Invoke(deadline(t), []byte("{")); err == nil {
		t.Error("half an object is accepted")
	}
}

func testConcurrentInvocations(t *testing.T, binary string) {
	function := start(t, runtimeapi.Config{Binary: binary})
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			text := fmt.Sprint(n)
			result, err := function.Invoke(deadline(t), event("echo", text))
			if err != nil || string(result.Payload) != fmt.Sprintf("%q", text) {
				t.Errorf("invocation %d: %s, %v", n, result.Payload, err)
			}
		})
	}
	group.Wait()
}

func TestFunction_Environment(t *testing.T) {
	t.Setenv("INHERITED", "secret")
	function := start(t, runtimeapi.Config{
		Binary: build(t),
		Env:    []string{"TABLE_NAME=databases", "AWS_REGION=eu-central-1"}, Timeout: 5 * time.Second, FunctionName: "greeter",
	})
	before := time.Now()
	result := invoke(t, function, "describe", "")
	var seen struct {
		Deadline                           int64
		Request, ARN, Name, Version, Trace string
		Memory                             int
		Environment                        []string
	}
	if err := json.Unmarshal(result.Payload, &seen); err != nil {
		t.Fatalf("%s: %v", result.Payload, err)
	}
	until := time.UnixMilli(seen.Deadline).Sub(before)
	if until < 4*time.Second || until > 10*time.Second {
		t.Errorf("deadline in %s", until)
	}
	if seen.ARN != "arn:aws:lambda:eu-central-1:123456789012:function:greeter" || seen.Name != "greeter" {
		t.Errorf("name %q, ARN %q", seen.Name, seen.ARN)
	}
	if len(seen.Request) != 36 || seen.Version != "$LATEST" || seen.Memory != 256 || !strings.HasPrefix(seen.Trace, "Root=1-") {
		t.Errorf("got %+v", seen)
	}
	for _, wanted := range []string{"TABLE_NAME=databases", "AWS_REGION=eu-central-1", "_HANDLER=bootstrap"} {
		if !slices.Contains(seen.Environment, wanted) {
			t.Errorf("the environment lacks %s", wanted)
		}
	}
	if slices.Contains(seen.Environment, "INHERITED=secret") {
		t.Error("the function inherits the parent's environment")
	}
}

func testInvokeCommand(t *testing.T, binary string) {
	tests := map[string]struct {
		do, text    string
		exit        int
		answer, log string
	}{
		"a string stays one": {
			do: "echo", text: `{"a":1}`, answer: "\"{\\\"a\\\":1}\"\n", log: "asked to echo",
		},
		"an error ends it with 1": {
			do: "fail", text: "hello", exit: 1, answer: "{\n  \"errorMessage\": \"hello\",\n  \"errorType\": \"errorString\"\n}\n", log: "the function failed",
		},
		"a body is shown as JSON": {
			do: "respond", text: `{"b":[1],"a":"<"}`,
			answer: "{\n  \"body\": {\n    \"b\": [\n      1\n    ],\n    \"a\": \"<\"\n  },\n  \"statusCode\": 200\n}\n",
			log:    "\n" + `{"level":"INFO","duration_ms":7,"status":200}` + "\n",
		},
		"a body that is not JSON stays a string": {
			do: "respond", text: "plain", answer: "{\n  \"body\": \"plain\",\n  \"statusCode\": 200\n}\n", log: "asked to respond",
		},
	}
	command := filepath.Join(t.TempDir(), "invoke")
	if output, err := exec.CommandContext(deadline(t), "go", "build", "-o", command, "./invoke").CombinedOutput(); err != nil {
		t.Fatalf("build the command: %v\n%s", err, output)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "event.json")
			if err := os.WriteFile(file, event(test.do, test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			var answer, log strings.Builder
			cmd := exec.CommandContext(deadline(t), command, "-binary", binary, "-event", file)
			cmd.Stdout, cmd.Stderr = &answer, &log
			var exit *exec.ExitError
			if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if got := cmd.ProcessState.ExitCode(); got != test.exit || answer.String() != test.answer || !strings.Contains(log.String(), test.log) {
				t.Errorf("exit status %d, answer %q, log %q", got, answer.String(), log.String())
			}
		})
	}
}

// build builds the function of testdata.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "bootstrap")
	cmd := exec.CommandContext(deadline(t), "go", "build", "-tags", "lambda.norpc", "-o", binary, "./testdata/echo")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the function: %v\n%s", err, output)
	}
	return binary
}

func start(t *testing.T, config runtimeapi.Config) *runtimeapi.Function {
	t.Helper()
	function, err := runtimeapi.Start(deadline(t), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(function.Stop)
	return function
}

func event(do, text string) []byte {
	return fmt.Appendf(nil, `{"do":%q,"text":%q}`, do, text)
}

func invoke(t *testing.T, function *runtimeapi.Function, do, text string) runtimeapi.Result {
	t.Helper()
	result, err := function.Invoke(deadline(t), event(do, text))
	if err != nil {
		t.Fatalf("%v\n%s", err, function.Logs())
	}
	return result
}

func waitForLog(t *testing.T, function *runtimeapi.Function, text string) {
	t.Helper()
	err := localrun.Poll(deadline(t), 10*time.Millisecond, func() (bool, error) { return strings.Contains(function.Logs(), text), nil })
	if err != nil {
		t.Fatalf("wait for %q in the log: %v", text, err)
	}
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}
