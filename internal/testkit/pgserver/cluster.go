package pgserver

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

const initDeadline = 2 * time.Minute

// newCluster makes a data directory at target. The work of initdb is done once
// for each set of programs and kept; what is kept holds no password.
func newCluster(ctx context.Context, owner account, installation Installation, target string) error {
	ctx, cancel := context.WithTimeout(ctx, initDeadline)
	defer cancel()
	cache, err := localrun.TempCache(owner.tempParent())
	if err != nil {
		return err
	}
	name, err := clusterName(installation)
	if err != nil {
		return err
	}
	template := filepath.Join(cache, name)
	err = copyOnce(ctx, "", template, func(_, target string) error {
		return initialize(ctx, owner, installation, target)
	})
	if err != nil {
		return err
	}
	if err := copyCluster(owner, template, target, nil); err != nil {
		return err
	}
	return newIdentity(target)
}

// clusterName names what initdb makes with these programs: the same for copies
// of them in different places, another for another build of the same version.
func clusterName(installation Installation) (string, error) {
	info, err := os.Stat(filepath.Join(installation.BinDir, "postgres"))
	if err != nil {
		return "", fmt.Errorf("look at the server program: %w", err)
	}
	return fmt.Sprintf("cluster-%s-%d", installation.Version, info.Size()), nil
}

func initialize(ctx context.Context, owner account, installation Installation, target string) error {
	if err := os.Mkdir(target, 0o700); err != nil {
		return fmt.Errorf("make a data directory: %w", err)
	}
	if err := owner.own(target); err != nil {
		return err
	}
	_, err := owner.run(ctx, "/", filepath.Join(installation.BinDir, "initdb"),
		"--pgdata", target, "--no-sync", "--encoding=UTF8", "--locale=C",
		"--username=postgres", "--auth=trust")
	return err
}

func copyCluster(owner account, source, target string, skip func(relative string) bool) error {
	return treeCopy{
		mode: func(mode fs.FileMode) fs.FileMode { return mode },
		own:  owner.own,
		skip: skip,
		live: skip != nil,
	}.copy(source, target)
}

// newIdentity gives a copied cluster a system identifier of its own, so that
// two servers look as unrelated as they are. The identifier stands at the start
// of pg_control and in the first page header of each log segment
// (XLogLongPageHeaderData in access/xlog_internal.h).
func newIdentity(directory string) error {
	identifier := make([]byte, 8)
	if _, err := rand.Read(identifier); err != nil {
		return fmt.Errorf("make a system identifier: %w", err)
	}
	// It is read as a positive bigint.
	binary.NativeEndian.PutUint64(identifier, binary.NativeEndian.Uint64(identifier)>>1)
	if err := identifyControl(filepath.Join(directory, "global", "pg_control"), identifier); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(directory, "pg_wal"))
	if err != nil {
		return fmt.Errorf("list the log segments: %w", err)
	}
	segment := regexp.MustCompile(`^[0-9A-F]{24}$`)
	for _, entry := range entries {
		if !segment.MatchString(entry.Name()) {
			continue
		}
		const offset = 24 // after the short header's 20 bytes and 4 of padding
		if err := overwrite(filepath.Join(directory, "pg_wal", entry.Name()), offset, identifier); err != nil {
			return err
		}
	}
	return nil
}

// identifyControl writes the identifier and the checksum that ends the control
// data. The data's length differs between versions, so the checksum is found by
// being the right one.
func identifyControl(path string, identifier []byte) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the control file: %w", err)
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := uint32(0)
	for end := 0; end+4 <= len(data); end += 4 {
		if end >= 64 && binary.NativeEndian.Uint32(data[end:]) == sum {
			copy(data, identifier)
			binary.NativeEndian.PutUint32(data[end:], crc32.Checksum(data[:end], table))
			return overwrite(path, 0, data)
		}
		sum = crc32.Update(sum, table, data[end:end+4])
	}
	return errors.New("find the control file's checksum: none fits")
}

func overwrite(path string, offset int64, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("open a cluster's file: %w", err)
	}
	_, err = file.WriteAt(data, offset)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write a cluster's file: %w", err)
	}
	return nil
}
