package database_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

const arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:theirs-AbCdEf"

// references stands in for the secrets of others: by ARN, shared with acme.
type references map[string]database.Referenced

func (r references) Open(_ context.Context, account, arn string) (database.Referenced, error) {
	secret, ok := r[arn]
	if !ok || account != "acme" {
		return secret, apierror.New(apierror.NotFound, "none", nil)
	}
	if secret.Password == "" {
		return secret, apierror.New(apierror.Invalid, "names a secret that has no password", nil)
	}
	return secret, nil
}

func referencing() map[string]any {
	return with(without(without(base(), "password"), "username"), "password_secret_arn", arn)
}

func TestAReferencedPasswordIsUsedAndNeitherCopiedNorShown(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	secrets := references{arn: {Username: "theirs", Password: "their-password", Host: "DB.example.com.", Port: 5432}}
	f.service.References = secrets
	d := f.create(referencing())
	if got := f.prober.asked()[0]; got.Passwords.Main != "their-password" || got.Endpoint.Username != "theirs" {
		t.Error("it was probed with another password or user name")
	}
	if p := f.passwords(d); p.Main != "" {
		t.Error("the password was copied")
	}
	object := render(t, d)
	if !strings.Contains(object, `"password_secret_arn":"`+arn+`"`) || strings.Contains(object, `"password":`) || !strings.Contains(object, `"username":"theirs"`) {
		t.Errorf("object %s", object)
	}
	secrets[arn] = database.Referenced{Username: "theirs_2", Password: "rotated"}
	if _, err := f.service.TestConnection(t.Context(), "acme", d.ID); err != nil {
		t.Fatal(err)
	}
	asked := f.prober.asked()
	if last := asked[len(asked)-1]; last.Passwords.Main != "rotated" || last.Endpoint.Username != "theirs_2" {
		t.Error("after a rotation it is tested with what was before")
	}
	delete(secrets, arn)
	report, err := f.service.TestConnection(t.Context(), "acme", d.ID)
	if failure, failed := report.FirstFailure(); err != nil || !failed || failure.Code != "authentication_failed" || len(report) != 14 {
		t.Errorf("a secret that is gone: %+v, %v", report, err)
	}
	secrets[arn] = database.Referenced{Username: "theirs", Password: "rotated"}
	u, err := f.update(d.ID, `{"username":"mine","password":"own"}`, true)
	if err != nil || u.Database.Endpoint.PasswordSecretARN != "" || f.passwords(u.Database).Main != "own" {
		t.Errorf("a password in its place: %v", err)
	}
	u, err = f.update(d.ID, `{"password_secret_arn":"`+arn+`"}`, true)
	if err != nil || u.Database.Endpoint.Username != "mine" || f.passwords(u.Database).Main != "" {
		t.Errorf("and the reference again: %v", err)
	}
}

func TestAReferenceThatCantBeOpenedIsThatFieldsError(t *testing.T) {
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
		{"one that is not there", "acme", with(referencing(), "password_secret_arn", arn+"x"), "password_secret_arn", "no secret that is shared"},
		{"one that is shared with another", "globex", referencing(), "password_secret_arn", "no secret that is shared"},
		{"one of another form", "acme", with(referencing(), "password_secret_arn", arn+"-empty"), "password_secret_arn", "no password"},
		{"one of another host", "acme", with(referencing(), "hostname", "other.example.com"), "password_secret_arn", "another host"},
		{"one of another port", "acme", with(referencing(), "port", 1), "password_secret_arn", "another host or port"},
		{"the primary's", "acme", primary(arn + "x"), "primary.password_secret_arn", "no secret that is shared"},
		{"one beside a password", "acme", with(referencing(), "password", "p"), "password_secret_arn", "together with password"},
		{"one beside a url", "acme", with(byURL("postgres://u:w@h/d"), "password_secret_arn", arn), "password_secret_arn", "together with url"},
		{"one that is no ARN", "acme", with(referencing(), "password_secret_arn", "arn:aws:s3:::bucket"), "password_secret_arn", "must be the ARN"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.service.References = references{
				arn:            {Username: "u", Password: "their-password", Host: "db.example.com", Port: 5432},
				arn + "-empty": {},
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
				t.Error("the answer has the password")
			}
			if len(f.prober.asked()) > 0 {
				t.Error("the target was asked")
			}
		})
	}
}
