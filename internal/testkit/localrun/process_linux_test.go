package localrun_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

const parentVariable = "LOCALRUN_TEST_PARENT"

// TestMain makes the test binary also the parent whose death is tested.
func TestMain(m *testing.M) {
	if os.Getenv(parentVariable) != "" {
		parent()
	}
	os.Exit(m.Run())
}

func parent() {
	process, err := localrun.Start(exec.Command("sleep", "1000"), syscall.SIGKILL)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(process.PID())
	<-process.Done()
	os.Exit(0)
}

func TestStart_ParentDies(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(within(t, time.Minute), os.Args[0])
	cmd.Env = append(os.Environ(), parentVariable+"=1")
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if !alive(pid) {
		t.Fatal("the child does not run")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	err = localrun.Poll(within(t, time.Minute), 5*time.Millisecond, func() (bool, error) { return !alive(pid), nil })
	if err != nil {
		t.Errorf("the child outlives its parent: %v", err)
	}
}

func TestProcess_Stop(t *testing.T) {
	t.Parallel()
	var output localrun.Output
	cmd := exec.Command("sh", "-c", "trap '' TERM; sleep 1000 & echo $!; wait; wait")
	cmd.Stdout = &output
	process, err := localrun.Start(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	if _, ended := process.State(); ended {
		t.Error("a running process has a final state")
	}
	var grandchild int
	err = process.Await(within(t, time.Minute), time.Millisecond, func(context.Context) (err error) {
		grandchild, err = strconv.Atoi(strings.TrimSpace(output.String()))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	process.Stop(syscall.SIGTERM, 50*time.Millisecond)
	if state, ended := process.State(); !ended || state.Success() || alive(process.PID()) {
		t.Errorf("a child that ignores the signal is in state %v", state)
	}
	err = localrun.Poll(within(t, time.Minute), 5*time.Millisecond, func() (bool, error) { return !alive(grandchild), nil })
	if err != nil {
		t.Errorf("a child of the child outlives it: %v", err)
	}
}

// alive reports whether a process runs. A zombie does not.
func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(state, "Z")
}
