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
	// abandonedAfter is much longer than a server takes from creating its directory
	// to writing its PID file.
	abandonedAfter = 10 * time.Minute
	// maxParentLength leaves room for the server's own directory and the socket.
	maxParentLength = 49
	// minMemory is enough for many servers at once.
	minMemory = 2 << 30
)

// tempParent returns a directory for temporary files that the account can enter.
// Its name is short, because the path of a Unix socket is limited to about 100
// bytes.
func (a account) tempParent() string {
	for _, directory := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		if len(directory) <= maxParentLength && a.canEnter(directory) {
			return directory
		}
	}
	return os.TempDir()
}

// serverParent returns the directory for the servers' data. It is in memory if
// there is enough, which makes a start several times as fast, unless TMPDIR is
// set.
func (a account) serverParent() string {
	const memory = "/dev/shm"
	var stat syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs(memory, &stat) != nil {
		return a.tempParent()
	}
	info, err := os.Stat(memory)
	writable := err == nil && info.Mode().Perm()&0o003 == 0o003
	if !writable || uint64(stat.Bavail)*uint64(stat.Bsize) < minMemory {
		return a.tempParent()
	}
	return memory
}

// canEnter reports whether the modes of the directory and all above it let the
// account enter.
func (a account) canEnter(directory string) bool {
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

// sweep removes the directories of servers whose parent died before it could. It
// ignores what it can't remove.
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

// running reports whether the server that wrote the PID file may be running.
func running(path string) bool {
	text, err := os.ReadFile(path)
	if err != nil {
		return !os.IsNotExist(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	return err != nil || pid <= 0 || syscall.Kill(pid, 0) != syscall.ESRCH
}
