package database_test

import (
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

func TestDelete(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := f.create(base())
	t.Run("returns the ID of the database with that name", func(t *testing.T) {
		if deleted, err := f.service.Delete(t.Context(), "acme", first.Name, database.DeleteOptions{}); err != nil || deleted.ID != first.ID {
			t.Fatalf("%s, error %v", deleted.ID, err)
		}
	})
	t.Run("removes the passwords", func(t *testing.T) {
		if _, err := f.service.Passwords(t.Context(), first); apierror.KindOf(err) != apierror.NotFound {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a second one finds nothing", func(t *testing.T) {
		if _, err := f.service.Delete(t.Context(), "acme", first.Name, database.DeleteOptions{}); apierror.KindOf(err) != apierror.NotFound {
			t.Errorf("error %v", err)
		}
	})
	t.Run("frees the name", func(t *testing.T) {
		again := f.create(base())
		if again.ID == first.ID || f.passwords(again).Main != "secret-password" {
			t.Error("the name does not belong to a new database")
		}
	})
}

func TestService_OtherAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	d := f.create(base())
	patch, err := database.ParsePatch([]byte(`{"name":"mine"}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func(ref string) error{
		"Get": func(ref string) error { _, err := f.service.Get(t.Context(), "other", ref); return err },
		"Delete": func(ref string) error {
			_, err := f.service.Delete(t.Context(), "other", ref, database.DeleteOptions{})
			return err
		},
		"TestConnection": func(ref string) error { _, err := f.service.TestConnection(t.Context(), "other", ref); return err },
		"RefreshTables": func(ref string) error {
			_, err := f.service.RefreshTables(t.Context(), "other", ref, func(database.Table) bool { return true })
			return err
		},
		"Update": func(ref string) error { _, err := f.service.Update(t.Context(), "other", ref, patch, true); return err },
	} {
		t.Run(name+" does not find the database", func(t *testing.T) {
			for _, ref := range []string{d.ID, d.Name, strings.ToUpper(d.ID)} {
				if err := call(ref); apierror.KindOf(err) != apierror.NotFound {
					t.Errorf("by %s: error %v", ref, err)
				}
			}
		})
	}
	t.Run("List is empty", func(t *testing.T) {
		if listed, err := f.list("other", 0, database.ListOptions{}); err != nil || len(listed) != 0 {
			t.Errorf("%d databases, error %v", len(listed), err)
		}
	})
	t.Run("Create may use the name", func(t *testing.T) {
		if c, err := f.service.Create(t.Context(), "other", f.payload(base()), ""); err != nil || c.Database.Account != "other" {
			t.Errorf("error %v", err)
		}
	})
}

func TestPasswords_Missing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		gone func(f *fixture, d database.Database) error
		want apierror.Kind
	}{
		{"the database was deleted in the meantime", func(f *fixture, d database.Database) error {
			_, err := f.service.Delete(f.t.Context(), d.Account, d.ID, database.DeleteOptions{})
			return err
		}, apierror.NotFound},
		{"the secret was changed in the meantime", func(f *fixture, d database.Database) error {
			if _, err := f.update(d.ID, `{"password":"next"}`, false); err != nil {
				return err
			}
			return f.service.Vault.Discard(f.t.Context(), d.Account, d.ID)
		}, apierror.Unavailable},
		{"the secret is lost", func(f *fixture, d database.Database) error {
			return f.service.Vault.Discard(f.t.Context(), d.Account, d.ID)
		}, apierror.Internal},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			d := f.create(base())
			if err := c.gone(f, d); err != nil {
				t.Fatal(err)
			}
			if _, err := f.service.Passwords(t.Context(), d); err == nil || apierror.KindOf(err) != c.want {
				t.Errorf("error %v", err)
			}
		})
	}
}
