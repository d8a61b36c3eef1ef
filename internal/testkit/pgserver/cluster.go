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

const initTimeout = 2 * time.Minute

// createCluster creates a data directory at target. initdb runs once for each set
// of programs; its result, which has no password, is cached and copied.
func createCluster(ctx context.Context, owner account, installation Installation, target string) error {
	ctx, cancel := context.WithTimeout(ctx, initTimeout)
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
	return setSystemIdentifier(target)
}

// clusterName returns the cache's name for the result of initdb. Copies of the
// same programs share it, other builds of the same version do not.
func clusterName(installation Installation) (string, error) {
	info, err := os.Stat(filepath.Join(installation.BinDir, "postgres"))
	if err != nil {
		return "", fmt.Errorf("inspect server program: %w", err)
	}
	return fmt.Sprintf("cluster-%s-%d", installation.Version, info.Size()), nil
}

func initialize(ctx context.Context, owner account, installation Installation, target string) error {
	if err := os.Mkdir(target, 0o700); err != nil {
		return fmt.Errorf("create data directory: %w", err)
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

// setSystemIdentifier gives a copied cluster a new system identifier, as initdb
// would. The identifier is at the start of pg_control and in the first page header
// of each WAL segment (XLogLongPageHeaderData in access/xlog_internal.h).
func setSystemIdentifier(directory string) error {
	identifier := make([]byte, 8)
	if _, err := rand.Read(identifier); err != nil {
		return fmt.Errorf("create system identifier: %w", err)
	}
	// Postgres shows it as a bigint, which must be positive.
	binary.NativeEndian.PutUint64(identifier, binary.NativeEndian.Uint64(identifier)>>1)
	if err := updateControl(filepath.Join(directory, "global", "pg_control"), identifier); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(directory, "pg_wal"))
	if err != nil {
		return fmt.Errorf("list WAL segments: %w", err)
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

// updateControl writes the identifier and the checksum at the end of the control
// data. The position of the checksum differs between versions: it is the first
// one that has the right value.
func updateControl(path string, identifier []byte) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read control file: %w", err)
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
	return fmt.Errorf("update %s: no checksum fits", path)
}

func overwrite(path string, offset int64, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("open cluster file: %w", err)
	}
	_, err = file.WriteAt(data, offset)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write cluster file: %w", err)
	}
	return nil
}
