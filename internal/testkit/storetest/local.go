package storetest

import (
	"path/filepath"
	"testing"

	"github.com/headgate/headgate/internal/localstore"
)

// OpenLocal opens a new local store, which is closed when the test ends.
func OpenLocal(t *testing.T) *localstore.Store {
	t.Helper()
	store, err := localstore.Open(filepath.Join(t.TempDir(), "headgate.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}
