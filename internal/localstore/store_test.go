package localstore_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/localstore"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

func open(t *testing.T, path string, options ...localstore.Option) *localstore.Store {
	t.Helper()
	s, err := localstore.Open(path, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func closeStore(t *testing.T, s *localstore.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func fresh(t *testing.T) *localstore.Store {
	t.Helper()
	return open(t, newPath(t))
}

// newPath returns the path of a file that does not exist.
func newPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "headgate.db")
}

func TestCatalog(t *testing.T) {
	t.Parallel()
	storetest.RunCatalog(t, func(t *testing.T) database.Catalog { return fresh(t).Catalog() })
}

func TestVault(t *testing.T) {
	t.Parallel()
	storetest.RunVault(t, func(t *testing.T) database.Vault { return fresh(t).Vault() })
}

func TestOpen_Modes(t *testing.T) {
	t.Parallel()
	directory := filepath.Join(t.TempDir(), "a", "b")
	path := filepath.Join(directory, "headgate.db")
	closeStore(t, open(t, path))
	wantMode(t, path, 0o600)
	wantMode(t, directory, 0o700)
	wantMode(t, filepath.Dir(directory), 0o700)
}

func TestOpen_TightensTheMode(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	closeStore(t, open(t, path))
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	wantMode(t, path, 0o600)
}

func wantMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != want {
		t.Errorf("%s has the mode %o, want %o", path, got, want)
	}
}

func TestOpen_InUse(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	open(t, path)
	begun := time.Now()
	_, err := localstore.Open(path)
	if !errors.Is(err, localstore.ErrInUse) || !strings.Contains(err.Error(), path) {
		t.Fatalf("error %v", err)
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestOpen_ErrorNamesThePath(t *testing.T) {
	t.Parallel()
	garbage := newPath(t)
	if err := os.WriteFile(garbage, []byte(strings.Repeat("garbage ", 10_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		"directory":                    t.TempDir(),
		"another file format":          garbage,
		"file in place of a directory": filepath.Join(garbage, "headgate.db"),
	}
	for name, path := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := localstore.Open(path); err == nil || !strings.Contains(err.Error(), path) {
				t.Fatalf("error %v", err)
			}
		})
	}
}

func TestOpen_KeepsData(t *testing.T) {
	t.Parallel()
	path, ctx := newPath(t), storetest.Context(t)
	d, p := storetest.Database("local", "orders"), storetest.Passwords()
	s, err := localstore.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Vault().Create(ctx, d, p); err != nil {
		t.Fatal(err)
	}
	if err := s.Catalog().Insert(ctx, d, nil); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)

	s = open(t, path)
	if owner, err := s.Catalog().NameOwner(ctx, "local", "orders"); err != nil || owner != d.ID {
		t.Errorf("owner %q, %v", owner, err)
	}
	if got, err := s.Vault().Read(ctx, "local", d.ID, d.ID); err != nil || got != p {
		t.Errorf("the passwords differ, or error %v", err)
	}
}

func TestClose_ThenUnavailable(t *testing.T) {
	t.Parallel()
	s, err := localstore.Open(newPath(t))
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	d := storetest.Database("local", "orders")
	_, readErr := s.Catalog().NameOwner(storetest.Context(t), "local", "orders")
	for _, err := range []error{readErr, s.Catalog().Insert(storetest.Context(t), d, nil)} {
		if apierror.KindOf(err) != apierror.Unavailable {
			t.Errorf("error %v of kind %d, want Unavailable", err, apierror.KindOf(err))
		}
	}
}

func TestOpen_RemovesDeletedSecrets(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	tests := map[string]struct {
		later time.Duration
		gone  bool
	}{
		"just before 7 days": {7*24*time.Hour - time.Second, false},
		"after 7 days":       {7 * 24 * time.Hour, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, ctx := newPath(t), storetest.Context(t)
			d, p := storetest.Database("local", "orders"), storetest.Passwords()
			deleted := openAt(t, path, start)
			mustCreate(ctx, t, deleted, d, p)
			if err := deleted.Vault().ScheduleDeletion(ctx, "local", d.ID); err != nil {
				t.Fatal(err)
			}
			if _, err := deleted.Vault().AddVersion(ctx, d, p, "v2"); apierror.KindOf(err) != apierror.NotFound {
				t.Errorf("error %v, want NotFound", err)
			}
			closeStore(t, deleted)

			// A secret that still exists makes Create fail.
			s := openAt(t, path, start.Add(test.later))
			defer closeStore(t, s)
			if _, err := s.Vault().Create(ctx, d, p); (err == nil) != test.gone {
				t.Errorf("error %v, gone %t", err, test.gone)
			}
		})
	}
}

func openAt(t *testing.T, path string, now time.Time) *localstore.Store {
	t.Helper()
	s, err := localstore.Open(path, localstore.WithClock(func() time.Time { return now }))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustCreate(ctx context.Context, t *testing.T, s *localstore.Store, d database.Database, p database.Passwords) {
	t.Helper()
	if _, err := s.Vault().Create(ctx, d, p); err != nil {
		t.Fatal(err)
	}
}
