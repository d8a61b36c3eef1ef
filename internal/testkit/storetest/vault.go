package storetest

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// RunVault tests the vaults that open returns.
func RunVault(t *testing.T, open func(*testing.T) database.Vault) {
	tests := map[string]func(*testing.T, database.Vault){
		"created passwords are read":                                     createdIsRead,
		"a database without a primary has one password":                  withoutPrimary,
		"a repeated create returns the same version":                     sameCreateIsDone,
		"a repeated create with other passwords is rejected":             otherCreateIsRefused,
		"32 concurrent creates return the same version":                  racingCreates,
		"two databases have two secrets":                                 secretsAreApart,
		"an added version and the first are read":                        addedIsRead,
		"a repeated addition returns the same version":                   sameVersionIsDone,
		"a repeated addition with other passwords is rejected":           otherVersionIsRefused,
		"two versions can await their promotion":                         twoVersionsWait,
		"a promotion can be repeated":                                    promotedTwice,
		"a missing version is not promoted":                              missingIsNotPromoted,
		"a drop can be repeated and does not change the current version": droppedVersion,
		"an unknown version or secret is not found":                      missingIsNotRead,
		"a secret scheduled for deletion is not read":                    scheduledIsNotRead,
		"a discard can be repeated and deletes the secret":               discardedIsGone,
		"a secret that does not exist is recreated":                      recreated,
		"a scheduled secret is recreated with its versions":              recreatedScheduled,
		"32 concurrent recreations each have their version":              racingRecreations,
		"a restore can be repeated, and needs no secret":                 restored,
		"a version is promoted again after late promotions of others":    promotedAgain,
		"a version of a secret scheduled for deletion is not promoted":   scheduledTakesNoPromotion,
	}
	maps.Copy(tests, batchTests())
	run(t, tests, open)
}

// create stores the passwords of a new database.
func create(t *testing.T, v database.Vault) (database.Database, database.Passwords, string) {
	t.Helper()
	d, p := Database(Account(), "orders"), Passwords()
	stored, err := v.Create(Context(t), d, p)
	must(t, err)
	if stored.Version == "" {
		t.Fatal("no version")
	}
	return d, p, stored.Version
}

func wantPasswords(t *testing.T, v database.Vault, d database.Database, version string, want database.Passwords) {
	t.Helper()
	got, err := v.Read(Context(t), d.Account, d.ID, version)
	must(t, err)
	if got != want {
		t.Errorf("version %s has other passwords", version)
	}
}

// wantNoPasswords waits only a second for a version that may appear late.
func wantNoPasswords(t *testing.T, v database.Vault, account, id, version string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(Context(t), time.Second)
	defer cancel()
	_, err := v.Read(ctx, account, id, version)
	wantKind(t, err, apierror.NotFound)
}

func createdIsRead(t *testing.T, v database.Vault) {
	d, p, version := create(t, v)
	wantPasswords(t, v, d, version, p)
}

func withoutPrimary(t *testing.T, v database.Vault) {
	d, p := Database(Account(), "orders"), database.Passwords{Main: Passwords().Main}
	d.Primary = nil
	stored, err := v.Create(Context(t), d, p)
	must(t, err)
	wantPasswords(t, v, d, stored.Version, p)
}

func sameCreateIsDone(t *testing.T, v database.Vault) {
	d, p, version := create(t, v)
	again, err := v.Create(Context(t), d, p)
	must(t, err)
	if again.Version != version {
		t.Errorf("version %s, want %s", again.Version, version)
	}
	wantPasswords(t, v, d, version, p)
}

func otherCreateIsRefused(t *testing.T, v database.Vault) {
	d, p, version := create(t, v)
	_, err := v.Create(Context(t), d, Passwords())
	wantKind(t, err, apierror.Internal)
	wantPasswords(t, v, d, version, p)
}

func racingCreates(t *testing.T, v database.Vault) {
	d, p := Database(Account(), "orders"), Passwords()
	versions := make([]database.SecretVersion, racers)
	must(t, errors.Join(Race(racers, func(i int) (err error) {
		versions[i], err = v.Create(Context(t), d, p)
		return err
	})...))
	for _, version := range versions {
		if version != versions[0] {
			t.Errorf("versions %v and %v", version, versions[0])
		}
	}
	wantPasswords(t, v, d, versions[0].Version, p)
}

func secretsAreApart(t *testing.T, v database.Vault) {
	first, p, version := create(t, v)
	second, q, _ := create(t, v)
	wantPasswords(t, v, first, version, p)
	wantPasswords(t, v, second, second.ID, q)
	wantNoPasswords(t, v, second.Account, first.ID, version)
}

// add adds a version.
func add(t *testing.T, v database.Vault, d database.Database) (string, database.Passwords) {
	t.Helper()
	p := Passwords()
	added, err := v.AddVersion(Context(t), d, p, ID())
	must(t, err)
	return added.Version, p
}

func addedIsRead(t *testing.T, v database.Vault) {
	d, p, first := create(t, v)
	second, q := add(t, v, d)
	wantPasswords(t, v, d, first, p)
	wantPasswords(t, v, d, second, q)
	_, err := v.AddVersion(Context(t), Database(d.Account, "other"), q, ID())
	wantKind(t, err, apierror.NotFound)
}

func sameVersionIsDone(t *testing.T, v database.Vault) {
	d, _, _ := create(t, v)
	version, q := add(t, v, d)
	again, err := v.AddVersion(Context(t), d, q, version)
	must(t, err)
	if again.Version != version {
		t.Errorf("version %s, want %s", again.Version, version)
	}
}

func otherVersionIsRefused(t *testing.T, v database.Vault) {
	d, _, _ := create(t, v)
	version, q := add(t, v, d)
	_, err := v.AddVersion(Context(t), d, Passwords(), version)
	wantKind(t, err, apierror.Internal)
	wantPasswords(t, v, d, version, q)
}

func twoVersionsWait(t *testing.T, v database.Vault) {
	d, _, _ := create(t, v)
	second, q := add(t, v, d)
	third, r := add(t, v, d)
	must(t, v.Promote(Context(t), d.Account, d.ID, third))
	wantPasswords(t, v, d, second, q)
	wantPasswords(t, v, d, third, r)
	must(t, v.Promote(Context(t), d.Account, d.ID, second))
	wantPasswords(t, v, d, second, q)
}

func promotedTwice(t *testing.T, v database.Vault) {
	d, p, first := create(t, v)
	must(t, v.Promote(Context(t), d.Account, d.ID, first))
	second, q := add(t, v, d)
	must(t, v.Promote(Context(t), d.Account, d.ID, second))
	must(t, v.Promote(Context(t), d.Account, d.ID, second))
	// A request that has read the catalog before the promotion needs the old version.
	wantPasswords(t, v, d, first, p)
	wantPasswords(t, v, d, second, q)
}

// promotedAgain promotes three updates in the wrong order, which removes every
// staging label from the version of the last one.
func promotedAgain(t *testing.T, v database.Vault) {
	d, _, _ := create(t, v)
	second, _ := add(t, v, d)
	third, q := add(t, v, d)
	fourth, r := add(t, v, d)
	for _, version := range []string{fourth, third, second} {
		must(t, v.Promote(Context(t), d.Account, d.ID, version))
	}
	wantPasswords(t, v, d, fourth, r)
	must(t, v.Promote(Context(t), d.Account, d.ID, fourth))
	wantPasswords(t, v, d, fourth, r)
	wantPasswords(t, v, d, third, q)
}

func scheduledTakesNoPromotion(t *testing.T, v database.Vault) {
	d, _, version := create(t, v)
	must(t, v.ScheduleDeletion(Context(t), d.Account, d.ID))
	wantKind(t, v.Promote(Context(t), d.Account, d.ID, version), apierror.NotFound)
	must(t, v.DropVersion(Context(t), d.Account, d.ID, version))
}

func missingIsNotPromoted(t *testing.T, v database.Vault) {
	d, p, first := create(t, v)
	ctx, cancel := context.WithTimeout(Context(t), time.Second)
	defer cancel()
	wantKind(t, v.Promote(ctx, d.Account, d.ID, ID()), apierror.NotFound)
	wantPasswords(t, v, d, first, p)
}

func droppedVersion(t *testing.T, v database.Vault) {
	d, p, first := create(t, v)
	second, _ := add(t, v, d)
	for _, version := range []string{second, second, first, ID()} {
		must(t, v.DropVersion(Context(t), d.Account, d.ID, version))
	}
	must(t, v.DropVersion(Context(t), d.Account, ID(), second))
	wantPasswords(t, v, d, first, p)
}

func missingIsNotRead(t *testing.T, v database.Vault) {
	d, _, version := create(t, v)
	wantNoPasswords(t, v, d.Account, d.ID, ID())
	wantNoPasswords(t, v, d.Account, ID(), version)
	wantNoPasswords(t, v, Account(), d.ID, version)
}

func scheduledIsNotRead(t *testing.T, v database.Vault) {
	d, _, version := create(t, v)
	for range 2 {
		must(t, v.ScheduleDeletion(Context(t), d.Account, d.ID))
	}
	must(t, v.ScheduleDeletion(Context(t), d.Account, ID()))
	wantNoPasswords(t, v, d.Account, d.ID, version)
	must(t, v.Discard(Context(t), d.Account, d.ID))
}

func recreated(t *testing.T, v database.Vault) {
	d, p, token := Database(Account(), "orders"), Passwords(), ID()
	for range 2 {
		stored, err := v.Recreate(Context(t), d, p, token)
		must(t, err)
		wantPasswords(t, v, d, stored.Version, p)
		must(t, v.Promote(Context(t), d.Account, d.ID, stored.Version))
	}
}

func recreatedScheduled(t *testing.T, v database.Vault) {
	d, p, first := create(t, v)
	must(t, v.ScheduleDeletion(Context(t), d.Account, d.ID))
	other, token := Passwords(), ID()
	for range 2 {
		stored, err := v.Recreate(Context(t), d, other, token)
		must(t, err)
		wantPasswords(t, v, d, stored.Version, other)
	}
	wantPasswords(t, v, d, first, p)
	must(t, v.Promote(Context(t), d.Account, d.ID, token))
	wantPasswords(t, v, d, token, other)
}

func racingRecreations(t *testing.T, v database.Vault) {
	d, _, _ := create(t, v)
	must(t, v.ScheduleDeletion(Context(t), d.Account, d.ID))
	passwords, versions := make([]database.Passwords, racers), make([]database.SecretVersion, racers)
	must(t, errors.Join(Race(racers, func(i int) (err error) {
		passwords[i] = Passwords()
		versions[i], err = v.Recreate(Context(t), d, passwords[i], ID())
		return err
	})...))
	for i := range racers {
		wantPasswords(t, v, d, versions[i].Version, passwords[i])
	}
}

func restored(t *testing.T, v database.Vault) {
	d, p, version := create(t, v)
	must(t, v.ScheduleDeletion(Context(t), d.Account, d.ID))
	for range 2 {
		must(t, v.Restore(Context(t), d.Account, d.ID))
	}
	wantPasswords(t, v, d, version, p)
	must(t, v.Restore(Context(t), d.Account, ID()))
}

func discardedIsGone(t *testing.T, v database.Vault) {
	d, _, version := create(t, v)
	for range 2 {
		must(t, v.Discard(Context(t), d.Account, d.ID))
	}
	wantNoPasswords(t, v, d.Account, d.ID, version)
}
