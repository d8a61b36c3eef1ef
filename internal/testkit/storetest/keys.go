package storetest

import (
	"reflect"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/apikey"
)

// RunKeys tests the stores of API keys that open returns.
func RunKeys(t *testing.T, open func(*testing.T) apikey.Store) {
	run(t, map[string]func(*testing.T, apikey.Store){
		"an inserted key is found by its hash":              insertedIsFound,
		"a repeated insert succeeds":                        sameKeyIsDone,
		"an unknown hash is not found":                      unknownHash,
		"a repeated revocation keeps the time of the first": revokedKey,
		"an unknown key is not revoked":                     unknownIsNotRevoked,
		"the key of another account is not revoked":         othersKeyIsNotRevoked,
		"a list has all keys of the account":                keysAreListed,
		"the day of a use is kept, an earlier one is not":   usesAreRecorded,
		"a use of an unknown key makes no key":              unknownUse,
	}, open)
}

// newKey returns a key of a new account.
func newKey(expiresAt time.Time) apikey.Key {
	return newKeyOf(Account(), expiresAt)
}

func newKeyOf(account string, expiresAt time.Time) apikey.Key {
	r := apikey.CreateRequest{AccountID: account, Name: "a key's näme", ExpiresAt: expiresAt, Scopes: apikey.Scopes{apikey.Read, apikey.Reveal}}
	_, k := apikey.New(r, time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC))
	return k
}

func wantKey(t *testing.T, s apikey.Store, want apikey.Key) {
	t.Helper()
	got, err := s.Find(Context(t), want.Hash)
	must(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("found %+v, want %+v", got, want)
	}
}

func insertedIsFound(t *testing.T, s apikey.Store) {
	for _, expiresAt := range []time.Time{{}, time.Date(2100, 1, 2, 3, 4, 5, 0, time.UTC)} {
		k := newKey(expiresAt)
		must(t, s.Insert(Context(t), k))
		wantKey(t, s, k)
	}
}

func sameKeyIsDone(t *testing.T, s apikey.Store) {
	k := newKey(time.Time{})
	for range 2 {
		must(t, s.Insert(Context(t), k))
	}
	wantKey(t, s, k)
}

func unknownHash(t *testing.T, s apikey.Store) {
	_, err := s.Find(Context(t), newKey(time.Time{}).Hash)
	wantKind(t, err, apierror.NotFound)
}

func revokedKey(t *testing.T, s apikey.Store) {
	k := newKey(time.Time{})
	must(t, s.Insert(Context(t), k))
	k.RevokedAt = time.Date(2026, 4, 5, 6, 7, 8, 9, time.UTC)
	must(t, s.Revoke(Context(t), k.Account, k.ID, k.RevokedAt))
	wantKey(t, s, k)
	must(t, s.Revoke(Context(t), k.Account, k.ID, k.RevokedAt.Add(time.Hour)))
	wantKey(t, s, k)
}

func unknownIsNotRevoked(t *testing.T, s apikey.Store) {
	k := newKey(time.Time{})
	wantKind(t, s.Revoke(Context(t), k.Account, k.ID, k.CreatedAt), apierror.NotFound)
}

func othersKeyIsNotRevoked(t *testing.T, s apikey.Store) {
	k := newKey(time.Time{})
	must(t, s.Insert(Context(t), k))
	wantKind(t, s.Revoke(Context(t), Account(), k.ID, k.CreatedAt), apierror.NotFound)
	wantKey(t, s, k)
}

func keysAreListed(t *testing.T, s apikey.Store) {
	account := Account()
	if listed, err := s.List(Context(t), account); err != nil || len(listed) != 0 {
		t.Errorf("listed %+v, %v, want none", listed, err)
	}
	kept := map[string]apikey.Key{}
	for _, expiresAt := range []time.Time{{}, {}, time.Date(2100, 1, 2, 3, 4, 5, 0, time.UTC)} {
		k := newKeyOf(account, expiresAt)
		must(t, s.Insert(Context(t), k))
		kept[k.ID] = k
	}
	must(t, s.Insert(Context(t), newKey(time.Time{})))
	for id, k := range kept {
		k.RevokedAt = time.Date(2026, 4, 5, 6, 7, 8, 9, time.UTC)
		must(t, s.Revoke(Context(t), account, id, k.RevokedAt))
		kept[id] = k
		break
	}
	listed, err := s.List(Context(t), account)
	must(t, err)
	got := map[string]apikey.Key{}
	for _, k := range listed {
		got[k.ID] = k
	}
	if len(listed) != len(kept) || !reflect.DeepEqual(got, kept) {
		t.Errorf("listed %+v, want %+v", listed, kept)
	}
}

func usesAreRecorded(t *testing.T, s apikey.Store) {
	k := newKey(time.Time{})
	must(t, s.Insert(Context(t), k))
	for _, step := range []struct{ day, want string }{
		{"2026-03-04", "2026-03-04"}, {"2026-03-04", "2026-03-04"}, {"2026-03-03", "2026-03-04"}, {"2026-04-01", "2026-04-01"},
	} {
		must(t, s.RecordUse(Context(t), k.Hash, step.day))
		k.LastUsedOn = step.want
		wantKey(t, s, k)
	}
}

func unknownUse(t *testing.T, s apikey.Store) {
	k := newKey(time.Time{})
	must(t, s.RecordUse(Context(t), k.Hash, "2026-03-04"))
	_, err := s.Find(Context(t), k.Hash)
	wantKind(t, err, apierror.NotFound)
}
