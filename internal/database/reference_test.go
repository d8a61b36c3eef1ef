package database_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

const arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:theirs-AbCdEf"

// references has secrets by their ARNs, which are shared with the account acme.
type references map[string]database.Referenced

func (r references) Open(_ context.Context, account, arn string) (database.Referenced, error) {
	secret, ok := r[arn]
	if !ok || account != "acme" {
		return secret, apierror.New(apierror.NotFound, "none", nil)
	}
	if secret == (database.Referenced{}) {
		return secret, apierror.New(apierror.Invalid, "names a secret that is not in RDS's form", nil)
	}
	return secret, nil
}

func referencing() map[string]any {
	return with(without(without(base(), "password"), "username"), "password_secret_arn", arn)
}

func TestService_PasswordByReference(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	secrets := references{arn: {Username: "theirs", Password: "their-password", Host: "DB.example.com.", Port: 5432}}
	f.service.References = secrets
	d := f.create(referencing())
	lastProbed := func() database.Target {
		probed := f.prober.probed()
		return probed[len(probed)-1]
	}
	t.Run("a create uses the secret", func(t *testing.T) {
		if got := lastProbed(); got.Passwords.Main != "their-password" || got.Endpoint.Username != "theirs" {
			t.Error("the target was probed with another password or user name")
		}
	})
	t.Run("the password is not copied", func(t *testing.T) {
		if d.SecretVersion != "" || f.stored(d) {
			t.Error("the vault has a secret")
		}
	})
	t.Run("the object shows the ARN and the user name", func(t *testing.T) {
		object := render(t, d)
		if !strings.Contains(object, `"password_secret_arn":"`+arn+`"`) || strings.Contains(object, `"password":`) || !strings.Contains(object, `"username":"theirs"`) {
			t.Errorf("object %s", object)
		}
	})
	t.Run("TestConnection uses the secret after a rotation", func(t *testing.T) {
		secrets[arn] = database.Referenced{Username: "theirs_2", Password: "rotated", Host: "db.example.com", Port: 5432}
		if _, err := f.service.TestConnection(t.Context(), "acme", d.ID); err != nil {
			t.Fatal(err)
		}
		if last := lastProbed(); last.Passwords.Main != "rotated" || last.Endpoint.Username != "theirs_2" {
			t.Error("the target was probed with another password or user name")
		}
	})
	t.Run("TestConnection reports a secret that is gone", func(t *testing.T) {
		delete(secrets, arn)
		report, err := f.service.TestConnection(t.Context(), "acme", d.ID)
		failure, failed := report.FirstFailure()
		if err != nil || !failed || failure.Code != check.AuthenticationFailed || len(report) != len(check.Names()) {
			t.Errorf("report %+v, error %v", report, err)
		}
	})
	t.Run("an update replaces the reference by a password", func(t *testing.T) {
		u, err := f.update(d.ID, `{"username":"mine","password":"own"}`, true)
		if err != nil || u.Database.Endpoint.PasswordSecretARN != "" || f.passwords(u.Database).Main != "own" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("an update replaces the password by a reference", func(t *testing.T) {
		secrets[arn] = database.Referenced{Username: "theirs", Password: "rotated", Host: "db.example.com", Port: 5432}
		u, err := f.update(d.ID, `{"password_secret_arn":"`+arn+`"}`, true)
		if err != nil || u.Database.Endpoint.Username != "mine" || u.Database.SecretVersion != "" || f.stored(u.Database) {
			t.Errorf("error %v, version %q", err, u.Database.SecretVersion)
		}
	})
	t.Run("an update adds a primary by reference, which has the secret's user name", func(t *testing.T) {
		u, err := f.update(d.ID, `{"primary":{"hostname":"db.example.com","database":"d","password_secret_arn":"`+arn+`"}}`, true)
		if err != nil || u.Database.Primary.Username != "theirs" || !u.Database.Primary.UsernameFromSecret {
			t.Errorf("%+v, error %v", u.Database.Primary, err)
		}
	})
}

// TestUpdate_ReferenceUnverified replaces a stored password with verify=false: a secret
// that can't be read must not take its place.
func TestUpdate_ReferenceUnverified(t *testing.T) {
	t.Parallel()
	const others = arn + "2"
	byReference := `{"password_secret_arn":"` + arn + `"}`
	primaryByReference := `{"primary":{"hostname":"db.example.com","database":"d","password_secret_arn":"` + arn + `"}}`
	good := database.Referenced{Username: "theirs", Password: "p", Host: "db.example.com", Port: 5432}
	elsewhere := good
	elsewhere.Host = "other.example.com"
	for _, tt := range []struct {
		name    string
		from    map[string]any
		secrets references
		body    string
		fault   string
	}{
		{"a secret that can be read", base(), references{arn: good}, byReference, ""},
		{"no such secret", base(), references{}, byReference, "password_secret_arn"},
		{"a secret of another form", base(), references{arn: {}}, byReference, "password_secret_arn"},
		{"a secret of another host", base(), references{arn: elsewhere}, byReference, "password_secret_arn"},
		{"a primary's that can be read", base(), references{arn: good}, primaryByReference, ""},
		{"a primary's that can't", base(), references{}, primaryByReference, "primary.password_secret_arn"},
		{"the primary's stored password", withPrimary(), references{}, `{"primary":{"password_secret_arn":"` + arn + `"}}`, "primary.password_secret_arn"},
		{"one reference for another", with(referencing(), "password_secret_arn", others), references{others: good}, byReference, "password_secret_arn"},
		{"the same reference, which is not read again", with(referencing(), "password_secret_arn", others), references{others: good}, `{"port":5433}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.service.References = tt.secrets
			old := f.create(tt.from)
			probes := len(f.prober.probed())
			u, err := f.update(old.ID, tt.body, false)
			if len(f.prober.probed()) != probes {
				t.Error("the target was dialled")
			}
			if tt.fault == "" {
				if err != nil || u.Database.Primary != nil && u.Database.Primary.Username != "theirs" {
					t.Errorf("%+v, error %v", u.Database.Primary, err)
				}
				return
			}
			e, ok := errors.AsType[*apierror.Error](err)
			if !ok || len(e.Fields) != 1 || len(e.Fields[tt.fault]) != 1 {
				t.Errorf("error %v, want the field %s", err, tt.fault)
			}
			if kept, err := f.service.Get(t.Context(), "acme", old.ID); err != nil || kept.Version != old.Version || f.passwords(kept) != f.passwords(old) {
				t.Errorf("the database has changed, error %v", err)
			}
		})
	}
}

func TestTestConnection_SecretsThatCantBeRead(t *testing.T) {
	t.Parallel()
	t.Run("are reported in the order of their fields", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		secrets := references{arn: {Username: "u", Password: "p", Host: "db.example.com", Port: 5432}}
		f.service.References = secrets
		d := f.create(with(referencing(), "primary", map[string]any{"hostname": "db.example.com", "database": "d", "password_secret_arn": arn}))
		delete(secrets, arn)
		const problem = "names no secret that is shared with this account by the tag headgate:shared-with"
		const want = "there is no password to log in with: password_secret_arn " + problem + "; primary.password_secret_arn " + problem
		for range 10 {
			report, err := f.service.TestConnection(t.Context(), "acme", d.ID)
			if failure, _ := report.FirstFailure(); err != nil || failure.Message != want {
				t.Fatalf("message %q, error %v", failure.Message, err)
			}
		}
	})
}

func TestCreate_SecretsThatCantBeRead(t *testing.T) {
	t.Parallel()
	primary := func(ref string) map[string]any {
		return with(base(), "primary", map[string]any{"hostname": "p", "database": "d", "password_secret_arn": ref})
	}
	tests := []struct {
		name    string
		account string
		payload map[string]any
		field   string
		says    string
	}{
		{"no such secret", "acme", with(referencing(), "password_secret_arn", arn+"x"), "password_secret_arn", "no secret that is shared"},
		{"a secret shared with another account", "globex", referencing(), "password_secret_arn", "no secret that is shared"},
		{"a secret of another form", "acme", with(referencing(), "password_secret_arn", arn+"-empty"), "password_secret_arn", "not in RDS's form"},
		{"a secret without a password", "acme", with(referencing(), "password_secret_arn", arn+"-none"), "password_secret_arn", "password must not be empty"},
		{"a secret with a long password", "acme", with(referencing(), "password_secret_arn", arn+"-long"), "password_secret_arn", "password must be at most 4096 bytes"},
		{"a secret for another host", "acme", with(referencing(), "hostname", "other.example.com"), "password_secret_arn", "another host"},
		{"a secret without a host", "acme", with(referencing(), "password_secret_arn", arn+"-hostless"), "password_secret_arn", "another host"},
		{"a secret for another port", "acme", with(referencing(), "port", 1), "password_secret_arn", "another host or port"},
		{"the primary's secret", "acme", primary(arn + "x"), "primary.password_secret_arn", "no secret that is shared"},
		{"an ARN together with a password", "acme", with(referencing(), "password", "p"), "password_secret_arn", "together with password"},
		{"an ARN together with a url", "acme", with(byURL("postgres://u:w@h/d"), "password_secret_arn", arn), "password_secret_arn", "together with url"},
		{"not an ARN of a secret", "acme", with(referencing(), "password_secret_arn", "arn:aws:s3:::bucket"), "password_secret_arn", "must be the ARN"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.service.References = references{
				arn:               {Username: "u", Password: "their-password", Host: "db.example.com", Port: 5432},
				arn + "-empty":    {},
				arn + "-hostless": {Username: "u", Password: "their-password", Port: 5432},
				arn + "-none":     {Username: "u", Host: "db.example.com", Port: 5432},
				arn + "-long":     {Username: "u", Host: "db.example.com", Port: 5432, Password: database.Password(strings.Repeat("their-password", 300))},
			}
			p, err := parse(t, tt.payload)
			if err == nil {
				_, err = f.service.Create(t.Context(), tt.account, p, "")
			}
			e, ok := errors.AsType[*apierror.Error](err)
			if !ok || e.Code != apierror.InvalidPayload || !strings.Contains(strings.Join(e.Fields[tt.field], ""), tt.says) {
				t.Fatalf("error %v", err)
			}
			answer, err := json.Marshal(e.Fields)
			if err != nil || strings.Contains(string(answer), "their-password") {
				t.Error("the error has the password")
			}
			if len(f.prober.probed()) > 0 {
				t.Error("the target was probed")
			}
		})
	}
}

// stored reports whether the vault has a secret of d, scheduled for deletion or not.
func (f *fixture) stored(d database.Database) bool {
	f.t.Helper()
	versions, err := f.store.Vault().ReadAll(f.t.Context(), []database.Database{{ID: d.ID, Account: d.Account, SecretVersion: d.ID}})
	if err != nil {
		f.t.Fatal(err)
	}
	return versions[0] != database.Passwords{}
}

// TestSafety_NoSecretForReferences changes between passwords of the vault and by
// reference, both ways and twice.
func TestSafety_NoSecretForReferences(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.service.References = references{arn: {Username: "theirs", Password: "their-password", Host: "db.example.com", Port: 5432}}
	t.Run("a create is replayed without a secret", func(t *testing.T) {
		first, err := f.service.Create(t.Context(), "acme", f.payload(with(referencing(), "name", "replayed")), "key")
		if err != nil {
			t.Fatal(err)
		}
		again, err := f.service.Create(t.Context(), "acme", f.payload(with(referencing(), "name", "replayed")), "key")
		if err != nil || again.Database.ID != first.Database.ID || again.Database.SecretVersion != "" {
			t.Errorf("%+v, %v", again, err)
		}
		other := with(with(referencing(), "name", "replayed"), "password_secret_arn", arn+"x")
		if _, err := f.service.Create(t.Context(), "acme", f.payload(other), "key"); code(err) != apierror.IdempotencyKeyReused {
			t.Errorf("another reference under the key: %v", err)
		}
		if _, err := f.service.Delete(t.Context(), "acme", first.Database.ID, database.DeleteOptions{}); err != nil {
			t.Error(err)
		}
		if again, err := f.service.Create(t.Context(), "acme", f.payload(with(referencing(), "name", "replayed")), "key"); err != nil || again.Database.ID != first.Database.ID {
			t.Errorf("after the delete: %v", err)
		}
	})
	d := f.create(referencing())
	for _, password := range []string{"own", "own again"} {
		u, err := f.update(d.ID, `{"username":"mine","password":"`+password+`"}`, true)
		if err != nil || f.passwords(u.Database).Main.Reveal() != password {
			t.Fatalf("a password in place of the reference: %v", err)
		}
		if u, err = f.update(d.ID, `{"primary":{"hostname":"db.example.com","database":"d","password_secret_arn":"`+arn+`"}}`, true); err != nil || f.passwords(u.Database).Main.Reveal() != password {
			t.Errorf("a primary by reference: %v", err)
		}
		if u, err = f.update(d.ID, `{"password_secret_arn":"`+arn+`"}`, true); err != nil || u.Database.SecretVersion != "" || f.passwords(u.Database) != (database.Passwords{}) {
			t.Errorf("a reference in place of the password: %v", err)
		}
		if f.stored(u.Database) {
			t.Error("the secret is left")
		}
		if u, err = f.update(d.ID, `{"primary":{"hostname":"db.example.com","username":"p","database":"d","password":"`+password+`"}}`, true); err != nil || f.passwords(u.Database).Primary.Reveal() != password {
			t.Errorf("a primary with a password: %v", err)
		}
		if u, err = f.update(d.ID, `{"primary":null}`, true); err != nil || u.Database.SecretVersion != "" || u.Database.Primary != nil {
			t.Errorf("no primary: %v", err)
		}
	}
	t.Run("a list with passwords", func(t *testing.T) {
		own := f.create(with(base(), "name", "own"))
		page, err := f.list("acme", 0, database.ListOptions{WithPasswords: true})
		if err != nil || len(page) != 2 {
			t.Fatalf("%d databases, %v", len(page), err)
		}
		if own.SecretVersion == "" {
			t.Error("no version")
		}
	})
	if _, err := f.service.Delete(t.Context(), "acme", d.ID, database.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}

func TestSafety_ReferencedHost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		owner, caller string
		port          int
		ok            bool
	}{
		{"db.example.com", "DB.example.com.", 5432, true},
		{"10.0.0.7", "10.0.0.7", 5432, true},
		{"::1", "0:0:0:0:0:0:0:1", 5432, true},
		{"db.example.com", "db.example.com", 5433, false},
		{"db.example.com", "evil.example.com", 5432, false},
		{"db.example.com", "db.example.com.evil.example", 5432, false},
		{"", "evil.example.com", 5432, false},
		{"10.0.0.7", "10.0.0.8", 5432, false},
	} {
		f := newFixture(t)
		f.service.References = references{arn: {Username: "u", Password: "p", Host: tt.owner, Port: 5432}}
		_, err := f.service.Create(t.Context(), "acme", f.payload(with(with(referencing(), "hostname", tt.caller), "port", tt.port)), "")
		if (err == nil) != tt.ok {
			t.Errorf("%+v: error %v", tt, err)
		}
		if dialled := len(f.prober.probed()) > 0; dialled != tt.ok {
			t.Errorf("%+v: dialled %v", tt, dialled)
		}
	}
}

func TestSafety_ARNsOfRDS(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, name := range []string{"rds!db-0b1c2d3e-4f56-7890-abcd-ef0123456789-AbCdEf", "rds!cluster-0b1c2d3e-4f56-7890-abcd-ef0123456789-AbCdEf"} {
		ref := "arn:aws:secretsmanager:eu-west-1:123456789012:secret:" + name
		f.service.References = references{ref: {Username: "u", Password: "p", Host: "db.example.com", Port: 5432}}
		if _, err := f.service.Create(t.Context(), "acme", f.payload(with(with(referencing(), "password_secret_arn", ref), "name", name[4:6])), ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSafety_DropSecretUnseen has a store that is away once an update has replaced the
// password by a reference: another update may have put a password back.
func TestSafety_DropSecretUnseen(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.service.References = references{arn: {Username: "u", Password: "p", Host: "db.example.com", Port: 5432}}
	d, vault := f.create(base()), &lastStep{Vault: f.service.Vault}
	f.service.Catalog, f.service.Vault = &awayAfterUpdate{Catalog: f.service.Catalog}, vault
	if _, err := f.update(d.ID, `{"password_secret_arn":"`+arn+`"}`, true); err != nil {
		t.Fatal(err)
	}
	if vault.last != "restored" {
		t.Errorf("the secret was %q last, want it restored", vault.last)
	}
}

// lastStep is a vault that notes what was last done about a secret.
type lastStep struct {
	database.Vault
	last string
}

func (l *lastStep) ScheduleDeletion(context.Context, string, string) error {
	l.last = "scheduled"
	return nil
}

func (l *lastStep) Restore(context.Context, string, string) error {
	l.last = "restored"
	return nil
}

// awayAfterUpdate is a catalog that reads no database after an update.
type awayAfterUpdate struct {
	database.Catalog
	updated bool
}

func (a *awayAfterUpdate) Update(ctx context.Context, old, d database.Database, options ...database.WriteOption) error {
	a.updated = true
	return a.Catalog.Update(ctx, old, d, options...)
}

func (a *awayAfterUpdate) Get(ctx context.Context, account, id string) (database.Database, error) {
	if a.updated {
		return database.Database{}, apierror.OfStore(apierror.Unavailable, nil)
	}
	return a.Catalog.Get(ctx, account, id)
}
