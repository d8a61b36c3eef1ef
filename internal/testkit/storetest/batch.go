package storetest

import (
	"context"
	"errors"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// batchTests returns the tests of Vault.ReadAll.
func batchTests() map[string]func(*testing.T, database.Vault) {
	return map[string]func(*testing.T, database.Vault){
		"all passwords are read, in order":                              allAreRead,
		"of no databases nothing is read":                               noneAreRead,
		"of many databases also versions that are not current are read": otherVersionsAreRead,
		"of many databases those without a secret have no passwords":    goneHaveNone,
		"after the end of the context nothing is read":                  endedContextBatch,
	}
}

// createMany stores the passwords of n databases of one account.
func createMany(t *testing.T, v database.Vault, n int) ([]database.Database, []database.Passwords) {
	t.Helper()
	account, ds, ps := Account(), make([]database.Database, n), make([]database.Passwords, n)
	must(t, errors.Join(Race(n, func(i int) error {
		ds[i], ps[i] = Database(account, "orders"), Passwords()
		stored, err := v.Create(Context(t), ds[i], ps[i])
		ds[i].SecretVersion = stored.Version
		return err
	})...))
	return ds, ps
}

func wantAll(t *testing.T, v database.Vault, ds []database.Database, want []database.Passwords) {
	t.Helper()
	got, err := v.ReadAll(Context(t), ds)
	must(t, err)
	if len(got) != len(want) {
		t.Fatalf("%d passwords, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("passwords %d differ", i)
		}
	}
}

func allAreRead(t *testing.T, v database.Vault) {
	ds, ps := createMany(t, v, 45)
	wantAll(t, v, ds, ps)
	wantAll(t, v, ds[:20], ps[:20])
	wantAll(t, v, ds[44:], ps[44:])
}

func noneAreRead(t *testing.T, v database.Vault) {
	wantAll(t, v, nil, nil)
}

func otherVersionsAreRead(t *testing.T, v database.Vault) {
	ds, ps := createMany(t, v, 25)
	for _, i := range []int{0, 19, 20, 24} {
		ps[i] = Passwords()
		added, err := v.AddVersion(Context(t), ds[i], ps[i], ID())
		must(t, err)
		ds[i].SecretVersion = added.Version
	}
	// One version that is current, and one that was.
	must(t, v.Promote(Context(t), ds[0].Account, ds[0].ID, ds[0].SecretVersion))
	_, err := v.AddVersion(Context(t), ds[1], Passwords(), ds[2].ID)
	must(t, err)
	must(t, v.Promote(Context(t), ds[1].Account, ds[1].ID, ds[2].ID))
	wantAll(t, v, ds, ps)
}

func goneHaveNone(t *testing.T, v database.Vault) {
	ds, ps := createMany(t, v, 45)
	must(t, v.ScheduleDeletion(Context(t), ds[3].Account, ds[3].ID))
	must(t, v.Discard(Context(t), ds[21].Account, ds[21].ID))
	ds[22].SecretVersion = ID()
	ds[44].ID = ID()
	for _, i := range []int{3, 21, 22, 44} {
		ps[i] = database.Passwords{}
	}
	wantAll(t, v, ds, ps)
	for i := range ds[:20] {
		must(t, v.ScheduleDeletion(Context(t), ds[i].Account, ds[i].ID))
	}
	wantAll(t, v, ds[:20], make([]database.Passwords, 20))
}

func endedContextBatch(t *testing.T, v database.Vault) {
	ds, _ := createMany(t, v, 3)
	ctx, cancel := context.WithCancel(Context(t))
	cancel()
	_, err := v.ReadAll(ctx, ds)
	wantKind(t, err, apierror.Unavailable)
}
