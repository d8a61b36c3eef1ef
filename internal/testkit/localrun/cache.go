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

const lockInterval = 50 * time.Millisecond

// Lock takes the advisory lock on the file at path, waiting until ctx ends. It
// creates the file and its directory if they are missing. The kernel releases
// the lock when this process dies; the returned function releases it earlier.
func Lock(ctx context.Context, path string) (func(), error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	err = Poll(ctx, lockInterval, func() (bool, error) {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, errors.Join(err, file.Close()))
	}
	return func() { _ = file.Close() }, nil
}

// Cache creates and returns the directory .cache/<name> of the repository. If
// there is no repository or it is not writable, the directory is in TempCache.
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
		return "", fmt.Errorf("create cache: %w", err)
	}
	return directory, nil
}

// makeWritable creates the directory and fails if this user can't write to it.
func makeWritable(directory string) error {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return fmt.Errorf("create cache: %w", err)
	}
	file, err := os.CreateTemp(directory, "writable-*")
	if err != nil {
		return fmt.Errorf("write to cache: %w", err)
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// TempCache creates and returns this user's directory under parent. Every user
// can read it and only this one can write to it. A directory of that name that
// somebody else created is an error, because programs are run from it.
func TempCache(parent string) (string, error) {
	uid := os.Geteuid()
	directory := filepath.Join(parent, "headgate-"+strconv.Itoa(uid))
	if err := os.Mkdir(directory, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("create temporary cache: %w", err)
	}
	info, err := os.Lstat(directory)
	if err != nil {
		return "", fmt.Errorf("inspect temporary cache: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(stat.Uid) != uid || info.Mode().Perm()&0o022 != 0 {
		return "", fmt.Errorf("use temporary cache %s: not a directory that only this user can write to", directory)
	}
	// The umask may have taken permissions away.
	if err := os.Chmod(directory, 0o755); err != nil {
		return "", fmt.Errorf("open temporary cache: %w", err)
	}
	return directory, nil
}
