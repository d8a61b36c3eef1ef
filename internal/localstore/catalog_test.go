package localstore_test

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/localstore"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

func TestOpen_RemovesExpiredClaims(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	tests := map[string]struct {
		later time.Duration
		gone  bool
	}{
		"just before it expires": {database.ReplayTime - time.Nanosecond, false},
		"when it expires":        {database.ReplayTime, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, ctx := newPath(t), storetest.Context(t)
			c := database.Claim{Account: "local", Key: "key", Owner: "owner", ClaimedAt: start}
			s := openAt(t, path, start)
			if _, err := s.Catalog().Claim(ctx, c); err != nil {
				t.Fatal(err)
			}
			d := storetest.Database("local", "orders")
			if err := s.Catalog().Insert(ctx, d, &c); err != nil {
				t.Fatal(err)
			}
			closeStore(t, s)

			s = openAt(t, path, start.Add(test.later))
			defer closeStore(t, s)
			// The time of this claim is the first one's, so only Open can have removed that.
			again := c
			again.Owner = "another"
			got, err := s.Catalog().Claim(ctx, again)
			if err != nil || (got.Owner == "another") != test.gone {
				t.Fatalf("claim %+v, %v, gone %t", got, err, test.gone)
			}
			if !test.gone && !reflect.DeepEqual(got.Result, &d) {
				t.Errorf("result %+v", got.Result)
			}
		})
	}
}

// write stores raw values in the file.
func write(tb testing.TB, path, bucket string, values map[string][]byte) {
	tb.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		tb.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for key, value := range values {
			if err := tx.Bucket([]byte(bucket)).Put([]byte(key), value); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	if err := db.Close(); err != nil {
		tb.Fatal(err)
	}
}

func TestCatalog_MalformedEntries(t *testing.T) {
	t.Parallel()
	path, ctx := newPath(t), storetest.Context(t)
	closeStore(t, open(t, path))
	d := storetest.Database("local", "orders")
	write(t, path, "databases", map[string][]byte{"local\x00" + d.ID: []byte("not JSON")})
	write(t, path, "cursors", map[string][]byte{"local": []byte("not JSON")})
	c := open(t, path).Catalog()
	_, listErr := c.List(ctx, "local", "", 10)
	_, keyErr := c.CursorKey(ctx, "local")
	for _, err := range []error{listErr, keyErr, c.Update(ctx, d, d), c.Delete(ctx, d)} {
		if err == nil || apierror.KindOf(err) != apierror.Internal {
			t.Errorf("error %v of kind %d, want Internal", err, apierror.KindOf(err))
		}
	}
}

func BenchmarkList_TenThousandDatabases(b *testing.B) {
	const n, page = 10_000, 1000
	path := filepath.Join(b.TempDir(), "headgate.db")
	s, err := localstore.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	entries := map[string][]byte{}
	for i := range n {
		d := storetest.Database("local", "orders-"+strconv.Itoa(i))
		d.Endpoint.SSLRootCert, d.Primary = "", nil
		if entries["local\x00"+d.ID], err = json.Marshal(d); err != nil {
			b.Fatal(err)
		}
	}
	write(b, path, "databases", entries)
	if s, err = localstore.Open(path); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	list := func(b *testing.B, after string, limit int) []database.Database {
		b.Helper()
		got, err := s.Catalog().List(b.Context(), "local", after, limit)
		if err != nil || len(got) != limit {
			b.Fatalf("%d databases, %v, want %d", len(got), err, limit)
		}
		return got
	}
	b.Run("at once", func(b *testing.B) {
		for b.Loop() {
			list(b, "", n)
		}
	})
	b.Run("in pages of 1000", func(b *testing.B) {
		for b.Loop() {
			after := ""
			for range n / page {
				after = list(b, after, page)[page-1].ID
			}
		}
	})
}
