package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

// copyOnce creates target from source unless it exists. It is atomic, and only one
// process at a time copies.
func copyOnce(ctx context.Context, source, target string, copyTree func(source, target string) error) error {
	unlock, err := localrun.Lock(ctx, target+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(target); err == nil {
		return nil
	}
	partial := target + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return fmt.Errorf("remove partial copy: %w", err)
	}
	if err := copyTree(source, partial); err != nil {
		return errors.Join(err, os.RemoveAll(partial))
	}
	if err := os.Rename(partial, target); err != nil {
		return fmt.Errorf("finish copy: %w", err)
	}
	return nil
}

// copyPublic copies programs so that every user can read and run them, regardless
// of the umask and the modes of the source.
func copyPublic(source, target string) error {
	return treeCopy{mode: func(mode fs.FileMode) fs.FileMode {
		if mode&0o111 != 0 {
			return 0o755
		}
		return 0o644
	}}.copy(source, target)
}

// treeCopy copies a directory tree of files, directories and links.
type treeCopy struct {
	// mode returns the mode of a copied file or directory, given the source's.
	mode func(fs.FileMode) fs.FileMode
	// own is called with each created path, unless it is nil.
	own func(path string) error
	// skip reports whether to leave out a path, which is relative to the tree. nil
	// leaves out none.
	skip func(relative string) bool
	// live is true if files may be removed while they are copied.
	live bool
}

func (t treeCopy) copy(source, target string) error {
	err := filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return t.ignoreRemoved(err)
		}
		relative, err := filepath.Rel(source, path)
		if err != nil {
			return err
		}
		if t.skip != nil && t.skip(relative) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		return t.ignoreRemoved(t.entry(path, filepath.Join(target, relative), entry))
	})
	if err != nil {
		return fmt.Errorf("copy %s: %w", source, err)
	}
	return nil
}

func (t treeCopy) ignoreRemoved(err error) error {
	if t.live && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (t treeCopy) entry(source, target string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	switch {
	case entry.IsDir():
		err = os.Mkdir(target, 0o700)
	case entry.Type()&fs.ModeSymlink != 0:
		return t.link(source, target)
	case entry.Type().IsRegular():
		err = copyFile(source, target)
	default:
		return nil // a socket or a pipe
	}
	if err != nil {
		return err
	}
	if err := os.Chmod(target, t.mode(info.Mode().Perm())); err != nil {
		return err
	}
	return t.owned(target)
}

func (t treeCopy) link(source, target string) error {
	destination, err := os.Readlink(source)
	if err != nil {
		return err
	}
	if err := os.Symlink(destination, target); err != nil {
		return err
	}
	return t.owned(target)
}

func (t treeCopy) owned(path string) error {
	if t.own == nil {
		return nil
	}
	return t.own(path)
}

func copyFile(source, target string) error {
	from, err := os.Open(source)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	to, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}
