package storetest

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"strconv"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

func listTests() map[string]func(*testing.T, database.Catalog) {
	return map[string]func(*testing.T, database.Catalog){
		"an account without databases has an empty list":                        emptyList,
		"databases are listed completely, in the order of creation":             listedInOrder,
		"a list continues after an ID, whether it exists or not":                listedAfter,
		"a list is not longer than its limit":                                   listedToLimit,
		"a list has only the account's databases":                               listedApart,
		"a list of several pages of the store is complete":                      listedOverPages,
		"after the end of the context nothing is listed":                        endedContextList,
		"an account's cursor key does not change":                               sameCursorKey,
		"concurrent requests for an account's first cursor key return the same": racingCursorKeys,
		"two accounts have different cursor keys":                               cursorKeysApart,
		"cursor keys and claims are not listed":                                 listedWithoutOthers,
	}
}

// fill inserts n databases of one account and returns them in order.
func fill(t *testing.T, c database.Catalog, account string, n int) []database.Database {
	t.Helper()
	ds := make([]database.Database, n)
	for i := range ds {
		ds[i] = Database(account, "orders-"+strconv.Itoa(i))
		must(t, c.Insert(Context(t), ds[i], nil))
	}
	return ds
}

func wantList(t *testing.T, c database.Catalog, account, after string, limit int, want ...database.Database) {
	t.Helper()
	got, err := c.List(Context(t), account, after, limit)
	must(t, err)
	if len(got) != len(want) {
		t.Fatalf("%d databases after %q with the limit %d, want %d", len(got), after, limit, len(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("database %d: %+v, want %+v", i, got[i], want[i])
		}
	}
}

func emptyList(t *testing.T, c database.Catalog) {
	wantList(t, c, Account(), "", 10)
	wantList(t, c, Account(), ID(), 10)
}

func listedInOrder(t *testing.T, c database.Catalog) {
	ds := fill(t, c, Account(), 5)
	wantList(t, c, ds[0].Account, "", 1000, ds...)
	wantList(t, c, ds[0].Account, "", len(ds), ds...)
}

func listedAfter(t *testing.T, c database.Catalog) {
	ds := fill(t, c, Account(), 4)
	account := ds[0].Account
	wantList(t, c, account, ds[1].ID, 10, ds[2:]...)
	wantList(t, c, account, ds[1].ID, 1, ds[2])
	wantList(t, c, account, ds[3].ID, 10)
	must(t, c.Delete(Context(t), ds[1]))
	wantList(t, c, account, ds[1].ID, 10, ds[2:]...)
	wantList(t, c, account, "00000000-0000-7000-8000-000000000000", 10, ds[0], ds[2], ds[3])
	wantList(t, c, account, "ffffffff-ffff-7fff-bfff-ffffffffffff", 10)
}

func listedToLimit(t *testing.T, c database.Catalog) {
	ds := fill(t, c, Account(), 3)
	for limit := range 5 {
		wantList(t, c, ds[0].Account, "", limit, ds[:min(limit, 3)]...)
	}
}

func listedApart(t *testing.T, c database.Catalog) {
	account := Account()
	ds := fill(t, c, account, 2)
	others := append(fill(t, c, account+"-", 1), fill(t, c, account[:len(account)-1], 1)...)
	wantList(t, c, account, "", 10, ds...)
	for _, d := range others {
		wantList(t, c, d.Account, "", 10, d)
		wantList(t, c, d.Account, ds[0].ID, 10, d)
	}
}

// listedOverPages lists databases with large certificates: a page of DynamoDB, 1 MB,
// has about thirty.
func listedOverPages(t *testing.T, c database.Catalog) {
	ds := fill(t, c, Account(), 40)
	wantList(t, c, ds[0].Account, "", 1000, ds...)
	wantList(t, c, ds[0].Account, ds[1].ID, 35, ds[2:37]...)
}

func endedContextList(t *testing.T, c database.Catalog) {
	ctx, cancel := context.WithCancel(Context(t))
	cancel()
	_, err := c.List(ctx, Account(), "", 10)
	wantKind(t, err, apierror.Unavailable)
	_, err = c.CursorKey(ctx, Account())
	wantKind(t, err, apierror.Unavailable)
}

func listedWithoutOthers(t *testing.T, c database.Catalog) {
	d := insert(t, c)
	_, err := c.CursorKey(Context(t), d.Account)
	must(t, err)
	_, err = c.Claim(Context(t), newClaim(d.Account))
	must(t, err)
	wantList(t, c, d.Account, "", 10, d)
}

func cursorKey(t *testing.T, c database.Catalog, account string) []byte {
	t.Helper()
	key, err := c.CursorKey(Context(t), account)
	must(t, err)
	if len(key) != 32 || bytes.Equal(key, make([]byte, 32)) {
		t.Fatalf("the cursor key has %d bytes or is zero", len(key))
	}
	return key
}

func sameCursorKey(t *testing.T, c database.Catalog) {
	account := Account()
	if first, second := cursorKey(t, c, account), cursorKey(t, c, account); !bytes.Equal(first, second) {
		t.Error("the cursor key has changed")
	}
}

func cursorKeysApart(t *testing.T, c database.Catalog) {
	if bytes.Equal(cursorKey(t, c, Account()), cursorKey(t, c, Account())) {
		t.Error("the cursor keys are equal")
	}
}

func racingCursorKeys(t *testing.T, c database.Catalog) {
	ctx, account := Context(t), Account()
	keys := make([][]byte, racers)
	must(t, errors.Join(Race(racers, func(i int) (err error) {
		keys[i], err = c.CursorKey(ctx, account)
		return err
	})...))
	last := cursorKey(t, c, account)
	for i, key := range keys {
		if !bytes.Equal(key, last) {
			t.Errorf("request %d returns another cursor key", i)
		}
	}
}
