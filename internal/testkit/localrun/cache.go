package localrun

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const lockPoll = 50 * time.Millisecond

// Lock takes the advisory lock on the file at path, making the file and its
// directory if need be, and waits for it until ctx ends. The system releases
// the lock when the process dies. The returned function releases it.
func Lock(ctx context.Context, path string) (func(), error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the directory of a lock: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open a lock: %w", err)
	}
	ticker := time.NewTicker(lockPoll)
	defer ticker.Stop()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = file.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, fmt.Errorf("wait for the lock %s: %w", path, ctx.Err())
		case <-ticker.C:
		}
	}
}

// Cache makes and returns the directory .cache/<name> of the repository, or
// one of the same name in TempCache where there is no repository or it cannot
// be written.
func Cache(name string) (string, error) {
	root, err := RepositoryRoot()
	if err == nil {
		directory := filepath.Join(root, ".cache", name)
		if err = makeWritable(directory); err == nil {
			return directory, nil
		}
	}
	base, tempErr := TempCache(os.TempDir())
	if tempErr != nil {
		return "", errors.Join(err, tempErr)
	}
	directory := filepath.Join(base, name)
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return "", fmt.Errorf("make a cache: %w", err)
	}
	return directory, nil
}

// makeWritable makes the directory and finds out whether it can be written: it
// may be another user's.
func makeWritable(directory string) error {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return fmt.Errorf("make a cache: %w", err)
	}
	file, err := os.CreateTemp(directory, "writable-*")
	if err != nil {
		return fmt.Errorf("write to a cache: %w", err)
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// TempCache makes and returns this user's own directory under parent, which
// every user may read and only this one may write. It refuses a directory that
// somebody else made under that name, because programs are run from it.
func TempCache(parent string) (string, error) {
	uid := os.Geteuid()
	directory := filepath.Join(parent, "headgate-"+strconv.Itoa(uid))
	if err := os.Mkdir(directory, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("make a temporary cache: %w", err)
	}
	info, err := os.Lstat(directory)
	if err != nil {
		return "", fmt.Errorf("look at the temporary cache: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(stat.Uid) != uid || info.Mode().Perm()&0o022 != 0 {
		return "", fmt.Errorf("temporary cache %s: not a directory that only this user can write", directory)
	}
	if err := os.Chmod(directory, 0o755); err != nil {
		return "", fmt.Errorf("open the temporary cache: %w", err)
	}
	return directory, nil
}
