package runtimeapi

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"time"
)

// Memory is what a process has resident, in bytes. It is all 0 on systems other
// than Linux.
type Memory struct {
	// Peak is the highest value since the process started.
	Peak int64
	// Anonymous is the process's own memory, Mapped that of files such as its
	// binary.
	Anonymous, Mapped int64
}

// Memory returns what the process had resident when the last invocation returned
// or Stop was called.
func (f *Function) Memory() Memory {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.memory
}

// CPUTime returns the user and system time of the whole process; 0 while it
// runs.
func (f *Function) CPUTime() time.Duration {
	state, ended := f.process.State()
	if !ended {
		return 0
	}
	return state.UserTime() + state.SystemTime()
}

// sampleMemory reads the kernel's accounts, which exist only while the process
// runs. The peak in its final resource usage would be no substitute: on Linux it
// includes the memory that the parent had at the fork.
func (f *Function) sampleMemory() {
	if _, ended := f.process.State(); ended {
		return // another process may have its ID
	}
	memory, err := readMemory(f.PID())
	if err != nil || memory.Peak == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.memory = memory
}

func readMemory(pid int) (Memory, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, err
	}
	defer func() { _ = file.Close() }()
	var memory Memory
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		field := map[string]*int64{"VmHWM": &memory.Peak, "RssAnon": &memory.Anonymous, "RssFile": &memory.Mapped}[name]
		if field == nil {
			continue
		}
		if _, err := fmt.Sscanf(value, "%d kB", field); err != nil {
			return Memory{}, fmt.Errorf("read %s: %w", name, err)
		}
		*field <<= 10
	}
	return memory, lines.Err()
}
