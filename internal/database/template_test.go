package database_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

// templateFixture is a fixture whose account has a secret at each host, and may sign in
// by IAM.
func templateFixture(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	f.service.IAM = database.IAM{Tokens: token("a token"), Accounts: []string{"acme"}}
	f.service.References = references{
		arn:         {Username: "theirs", Password: "p", Host: "db.example.com", Port: 5432},
		arn + "RDS": {Username: "theirs", Password: "p", Host: rdsHost, Port: 5432},
	}
	return f
}

// declare creates the database that has those properties.
func (f *fixture) declare(properties map[string]any) database.Database {
	f.t.Helper()
	p, err := database.ParseTemplate(encoded(f.t, properties))
	if err != nil {
		f.t.Fatal(err)
	}
	c, err := f.service.Create(f.t.Context(), "acme", p, "")
	if err != nil {
		f.t.Fatal(err)
	}
	return c.Database
}

// redeclare updates the database to other properties.
func (f *fixture) redeclare(id string, properties, before map[string]any) (database.Database, error) {
	f.t.Helper()
	p, err := database.ParseTemplatePatch(encoded(f.t, properties), encoded(f.t, before))
	if err != nil {
		return database.Database{}, err
	}
	u, err := f.service.Update(f.t.Context(), "acme", id, p, true)
	return u.Database, err
}

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestTemplate_UpdateIsAsACreate updates from one template to another and back. Each
// time the database is as one that was created with the properties.
func TestTemplate_UpdateIsAsACreate(t *testing.T) {
	t.Parallel()
	verified := with(referencing(), "ssl_mode", "verify-full")
	primary := map[string]any{"hostname": "db.example.com", "database": "d", "password_secret_arn": arn}
	onRDS := with(with(referencing(), "hostname", rdsHost), "password_secret_arn", arn+"RDS")
	rdsPrimary := map[string]any{"hostname": rdsHost, "database": "d", "password_secret_arn": arn + "RDS"}
	rdsPrimaryByIAM := map[string]any{"hostname": rdsHost, "database": "d", "username": "u", "authentication": "rds_iam"}
	for name, tt := range map[string]struct{ a, b map[string]any }{
		"by IAM":                    {onRDS, byIAM()},
		"by IAM, with what it does": {with(onRDS, "ssl_mode", "verify-full"), byIAM()},
		"by IAM, from no TLS":       {with(onRDS, "ssl", false), byIAM()},
		"a primary by IAM":          {with(onRDS, "primary", rdsPrimary), with(onRDS, "primary", rdsPrimaryByIAM)},
		"the way to sign in":        {referencing(), with(referencing(), "authentication", "password")},
		"a user name":               {referencing(), with(referencing(), "username", "mine")},
		"an authority":              {verified, with(verified, "ssl_root_cert", certificate(t, nil))},
		"an authority and its mode": {referencing(), with(verified, "ssl_root_cert", certificate(t, nil))},
		"a mode":                    {referencing(), verified},
		"no TLS":                    {verified, with(referencing(), "ssl", false)},
		"IPv6":                      {referencing(), with(referencing(), "ipv6", true)},
		"annotations":               {referencing(), with(referencing(), "annotations", map[string]any{"team": "7"})},
		"a status":                  {referencing(), with(referencing(), "replication_slots", slotWith("status", "disabled")["replication_slots"])},
		"a primary":                 {referencing(), with(referencing(), "primary", primary)},
		"a primary's user name":     {with(referencing(), "primary", primary), with(referencing(), "primary", with(primary, "username", "mine"))},
		"a primary's authority": {
			with(referencing(), "primary", with(primary, "ssl_mode", "verify-full")),
			with(referencing(), "primary", with(with(primary, "ssl_mode", "verify-full"), "ssl_root_cert", certificate(t, nil))),
		},
		"a primary's mode": {with(referencing(), "primary", primary), with(referencing(), "primary", with(primary, "ssl_mode", "verify-full"))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := templateFixture(t)
			updated := f.declare(tt.a)
			for _, step := range []struct{ to, from map[string]any }{{tt.b, tt.a}, {tt.a, tt.b}} {
				d, err := f.redeclare(updated.ID, step.to, step.from)
				if err != nil {
					t.Fatal(err)
				}
				want := templateFixture(t).declare(step.to)
				want.ID, want.Slot.ID = d.ID, d.Slot.ID
				if got, want := render(t, d), render(t, want); got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
				if d.Endpoint.UsernameFromSecret != want.Endpoint.UsernameFromSecret {
					t.Errorf("the user name is from the secret: %v", d.Endpoint.UsernameFromSecret)
				}
			}
		})
	}
}

func TestTemplate_UpdateNeedsWhatACreateNeeds(t *testing.T) {
	t.Parallel()
	primary := map[string]any{"hostname": "db.example.com", "database": "d", "password_secret_arn": arn}
	for _, tt := range []struct {
		name       string
		properties map[string]any
		fields     []string
	}{
		{"no name", without(referencing(), "name"), []string{"name"}},
		{"no host, and no database", without(without(referencing(), "hostname"), "database"), []string{"database", "hostname"}},
		{"no password", without(referencing(), "password_secret_arn"), []string{"password_secret_arn"}},
		{"no slot", without(referencing(), "replication_slots"), []string{"replication_slots"}},
		{"no slot's name", with(referencing(), "replication_slots", []any{map[string]any{"publication_name": "p"}}), []string{"replication_slots[0].slot_name"}},
		{"no primary's host", with(referencing(), "primary", without(primary, "hostname")), []string{"primary.hostname"}},
		{"no user name by IAM", without(byIAM(), "username"), []string{"username"}},
		{"two ways to sign in", with(byIAM(), "password_secret_arn", arn), []string{"password_secret_arn"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before := with(referencing(), "primary", primary)
			_, err := database.ParseTemplatePatch(encoded(t, tt.properties), encoded(t, before))
			e, ok := errors.AsType[*apierror.Error](err)
			if !ok || !slices.Equal(slices.Sorted(maps.Keys(e.Fields)), tt.fields) {
				t.Errorf("error %v, want the fields %v", err, tt.fields)
			}
		})
	}
}

// TestTemplate_UpdateIsChecked updates a database whose target is refused and has
// neither slot nor publication.
func TestTemplate_UpdateIsChecked(t *testing.T) {
	t.Parallel()
	plain := with(referencing(), "replication_slots", []any{map[string]any{"publication_name": "p", "slot_name": "s"}})
	asked := with(referencing(), "replication_slots", making(publishing("", nil))["replication_slots"])
	schemas := with(referencing(), "replication_slots", making(publishing("schemas", []any{"a"}))["replication_slots"])
	other := func(p map[string]any) map[string]any {
		slot := maps.Clone(p["replication_slots"].([]any)[0].(map[string]any))
		return with(p, "replication_slots", []any{with(slot, "slot_name", "other")})
	}
	for name, tt := range map[string]struct {
		created, before, properties map[string]any
		checked                     bool
	}{
		"annotations":                                   {asked, asked, with(asked, "annotations", map[string]any{"team": "7"}), false},
		"another name":                                  {asked, asked, with(asked, "name", "renamed"), false},
		"a rollback of another name":                    {asked, with(asked, "name", "a/b"), asked, false},
		"a rollback of another slot":                    {asked, other(asked), asked, false},
		"a rollback of another mode":                    {asked, with(asked, "ssl_mode", "verify-full"), asked, false},
		"a rollback of a user name":                     {asked, with(asked, "username", "mine"), asked, false},
		"a rollback of properties that make no sense":   {asked, map[string]any{"replication_slots": "x", "primary": []any{}}, with(asked, "name", "renamed"), true},
		"a rollback of creation":                        {plain, asked, plain, false},
		"creation that is no longer asked":              {asked, asked, plain, false},
		"creation that is asked now":                    {plain, plain, asked, true},
		"the creation of something else":                {asked, asked, schemas, true},
		"another slot":                                  {asked, asked, other(asked), true},
		"another user name, and the creation as before": {asked, asked, with(asked, "username", "mine"), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := templateFixture(t)
			d := f.declare(tt.created)
			f.prober.findings = check.Report{{Name: check.Authentication, Status: check.Failed, Code: check.AuthenticationFailed, Message: "m"}}
			probed := len(f.prober.probed())
			_, err := f.redeclare(d.ID, tt.properties, tt.before)
			if checked := len(f.prober.probed()) > probed; checked != tt.checked || (err != nil) != tt.checked {
				t.Errorf("checked %v, want %v; error %v", checked, tt.checked, err)
			}
		})
	}
}

func TestTemplate_UpdateMakesTheNewSlot(t *testing.T) {
	t.Parallel()
	f := templateFixture(t)
	asked := with(referencing(), "replication_slots", making(nil)["replication_slots"])
	d := f.declare(asked)
	f.maker.exists = database.Making{}
	moved := with(asked, "replication_slots", []any{map[string]any{"publication_name": "p", "slot_name": "other", "create_if_not_exists": true}})
	if _, err := f.redeclare(d.ID, moved, asked); err != nil || len(f.maker.made) != 2 {
		t.Errorf("made %+v, error %v", f.maker.made, err)
	}
}
