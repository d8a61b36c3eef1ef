package pgserver

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	directoryPrefix = "headgate-server-"
	// abandonedAfter is far longer than a server takes from its directory to
	// the file that names its process.
	abandonedAfter = 10 * time.Minute
	// memoryNeeded is what many servers side by side use.
	memoryNeeded = 2 << 30
)

// tempParent is a directory for temporary files that the account can reach and
// whose name leaves room for a unix socket's path, which has a limit of about
// 100 bytes.
func (a account) tempParent() string {
	for _, directory := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		if len(directory) < 50 && a.canReach(directory) {
			return directory
		}
	}
	return os.TempDir()
}

// serverParent is the directory in which servers have their data: in memory
// where there is much of it, which starts them several times as fast, unless
// TMPDIR says where temporary files are to be.
func (a account) serverParent() string {
	const memory = "/dev/shm"
	var stat syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs(memory, &stat) != nil {
		return a.tempParent()
	}
	info, err := os.Stat(memory)
	writable := err == nil && info.Mode().Perm()&0o003 == 0o003
	if !writable || uint64(stat.Bavail)*uint64(stat.Bsize) < memoryNeeded {
		return a.tempParent()
	}
	return memory
}

// canReach tells whether the account may pass through the directory and all
// those above it, by their modes.
func (a account) canReach(directory string) bool {
	if !a.other {
		return true
	}
	path, err := filepath.EvalSymlinks(directory)
	if err != nil {
		return false
	}
	for {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(path)
		if parent == path {
			return true
		}
		path = parent
	}
}

// sweep removes the directories of servers whose process died before it could
// do so itself. It is a courtesy: whatever it cannot remove stays.
func sweep(parent string) {
	directories, _ := filepath.Glob(filepath.Join(parent, directoryPrefix+"*"))
	for _, directory := range directories {
		info, err := os.Lstat(directory)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < abandonedAfter {
			continue
		}
		if !running(filepath.Join(directory, "data", "postmaster.pid")) {
			_ = os.RemoveAll(directory)
		}
	}
}

// running tells whether the server that wrote the file may be alive.
func running(path string) bool {
	text, err := os.ReadFile(path)
	if err != nil {
		return !os.IsNotExist(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	return err != nil || pid <= 0 || syscall.Kill(pid, 0) != syscall.ESRCH
}
