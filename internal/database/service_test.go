package database_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

func TestADeletedNameIsFreeAndItsSecretIsAnother(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := f.create(base())
	id, err := f.service.Delete(t.Context(), "acme", first.Name)
	if err != nil || id != first.ID {
		t.Fatal(err)
	}
	if _, err := f.service.Delete(t.Context(), "acme", first.Name); apierror.KindOf(err) != apierror.NotFound {
		t.Errorf("a second delete: %v", err)
	}
	again := f.create(base())
	if again.ID == first.ID || f.passwords(again).Main != "secret-password" {
		t.Error("it is not a new one")
	}
	if _, err := f.service.Passwords(t.Context(), first); err == nil {
		t.Error("the deleted one's passwords are still there")
	}
}

func TestAnotherAccountSeesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	d := f.create(base())
	for _, ref := range []string{d.ID, d.Name, strings.ToUpper(d.ID)} {
		if _, err := f.service.Get(t.Context(), "other", ref); apierror.KindOf(err) != apierror.NotFound {
			t.Errorf("get: %v", err)
		}
		if _, err := f.service.Delete(t.Context(), "other", ref); apierror.KindOf(err) != apierror.NotFound {
			t.Errorf("delete: %v", err)
		}
		if _, err := f.service.TestConnection(t.Context(), "other", ref); apierror.KindOf(err) != apierror.NotFound {
			t.Errorf("test: %v", err)
		}
		p, err := database.ParsePatch([]byte(`{"name":"mine"}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.service.Update(t.Context(), "other", ref, p, true); apierror.KindOf(err) != apierror.NotFound {
			t.Errorf("update: %v", err)
		}
	}
	page, err := f.service.List(t.Context(), "other", database.ListOptions{})
	if err != nil || len(page.Objects) != 0 {
		t.Errorf("list: %d, %v", len(page.Objects), err)
	}
	if c, err := f.service.Create(t.Context(), "other", f.payload(base()), ""); err != nil || c.Database.Account != "other" {
		t.Errorf("the same name: %v", err)
	}
}

func TestAListIsPagedByCursorsOfTheAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var want []string
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		want = append(want, f.create(with(base(), "name", name)).ID)
	}
	var got []string
	cursor := ""
	for {
		page, err := f.service.List(t.Context(), "acme", database.ListOptions{Limit: 2, Cursor: cursor, Sensitive: true})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, page.IDs...)
		for _, object := range page.Objects {
			if !bytes.Contains(object, []byte("secret-password")) {
				t.Error("a password is not shown")
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
		for _, bad := range []string{cursor[:len(cursor)-2] + "AA", "x", cursor + "A"} {
			if _, err := f.service.List(t.Context(), "acme", database.ListOptions{Cursor: bad}); code(err) != apierror.InvalidPayload {
				t.Errorf("a cursor that was tampered with: %v", err)
			}
		}
		if _, err := f.service.List(t.Context(), "other", database.ListOptions{Cursor: cursor}); code(err) != apierror.InvalidPayload {
			t.Errorf("another account's cursor: %v", err)
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("IDs %v, want %v", got, want)
	}
}

func TestPasswordsThatAreGoneAreTheRequestsOrOurFault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		gone func(f *fixture, d database.Database) error
		want apierror.Kind
	}{
		{"the database was deleted since it was read", func(f *fixture, d database.Database) error {
			_, err := f.service.Delete(f.t.Context(), d.Account, d.ID)
			return err
		}, apierror.NotFound},
		{"its secret was changed since it was read", func(f *fixture, d database.Database) error {
			if _, err := f.update(d.ID, `{"password":"next"}`, false); err != nil {
				return err
			}
			return f.service.Vault.Discard(f.t.Context(), d.Account, d.ID)
		}, apierror.Unavailable},
		{"its secret was lost", func(f *fixture, d database.Database) error {
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
				t.Errorf("%v", err)
			}
		})
	}
}
