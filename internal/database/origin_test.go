package database_test

import (
	"slices"
	"testing"

	"github.com/headgate/headgate/internal/database"
)

func TestService_Origin(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	by := func(id string) database.Origin { return database.Origin{RequestID: id, KeyID: "key"} }
	created, err := f.service.Create(database.WithOrigin(t.Context(), by("create")), "acme", f.payload(base()), "")
	if err != nil {
		t.Fatal(err)
	}
	if d := created.Database; d.ChangedBy != by("create") || d.ChangedPasswords != nil {
		t.Errorf("created by %+v, passwords %v", d.ChangedBy, d.ChangedPasswords)
	}
	for _, tt := range []struct {
		patch string
		want  []string
	}{
		{`{"password":"new"}`, []string{"password"}},
		{`{"port":5433}`, nil},
		{`{"primary":{"hostname":"p","database":"d","username":"u","password":"p"}}`, []string{"primary.password"}},
		{`{"name":"renamed"}`, nil},
	} {
		p, err := database.ParsePatch([]byte(tt.patch))
		if err != nil {
			t.Fatal(err)
		}
		updated, err := f.service.Update(database.WithOrigin(t.Context(), by(tt.patch)), "acme", created.Database.ID, p, true)
		if err != nil {
			t.Fatal(err)
		}
		if d := updated.Database; d.ChangedBy != by(tt.patch) || !slices.Equal(d.ChangedPasswords, tt.want) {
			t.Errorf("%s: changed by %+v, passwords %v", tt.patch, d.ChangedBy, d.ChangedPasswords)
		}
	}
}
