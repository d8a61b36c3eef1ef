package localrun_test

import (
	"bufio"
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

// TestMain lets the test binary also be the parent whose death is tested.
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

func TestChildDiesWithItsParent(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(deadline(t), os.Args[0])
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
		t.Fatal("the child is not there to begin with")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed, as just wished
	ctx, ticker := deadline(t), time.NewTicker(5*time.Millisecond)
	defer ticker.Stop()
	for alive(pid) {
		select {
		case <-ctx.Done():
			t.Fatal("the child outlives its parent")
		case <-ticker.C:
		}
	}
}

// alive tells whether a process runs; one that only waits to be reaped by
// whoever inherited it does not.
func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(state, "Z")
}
