package database_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

const rdsHost = "orders.c1a2b3.eu-west-1.rds.amazonaws.com"

// byIAM is a valid payload by IAM.
func byIAM() map[string]any {
	return with(with(without(base(), "password"), "hostname", rdsHost), "authentication", "rds_iam")
}

func TestParsePayload_IAM(t *testing.T) {
	t.Parallel()
	primary := map[string]any{"hostname": rdsHost, "database": "d", "username": "u", "authentication": "rds_iam"}
	for _, tt := range []struct {
		name    string
		payload map[string]any
		faults  []string
	}{
		{"a host of RDS", byIAM(), nil},
		{"a cluster of Aurora", with(byIAM(), "hostname", "Orders.cluster-c1a2b3.us-gov-east-1.rds.amazonaws.com."), nil},
		{"a host in China", with(byIAM(), "hostname", "orders.c1a2b3.rds.cn-north-1.amazonaws.com.cn"), nil},
		{"what it implies", with(with(byIAM(), "ssl", true), "ssl_mode", "verify-full"), nil},
		{"a primary by IAM", with(base(), "primary", primary), nil},
		{"a password besides the primary's IAM", with(base(), "primary", with(primary, "password", "w")), []string{"primary.password"}},
		{"the default", with(base(), "authentication", "password"), nil},
		{"another value", with(base(), "authentication", "iam"), []string{"authentication"}},
		{"another type", with(base(), "authentication", true), []string{"authentication"}},
		{"a password", with(byIAM(), "password", "p"), []string{"password"}},
		{"the mask", with(byIAM(), "password", database.Mask), []string{"password"}},
		{"a password by reference", with(byIAM(), "password_secret_arn", arn), []string{"password_secret_arn"}},
		{"no user name", without(byIAM(), "username"), []string{"username"}},
		{"without TLS", with(byIAM(), "ssl", false), []string{"ssl"}},
		{"a server that is not verified", with(byIAM(), "ssl_mode", "require"), []string{"ssl_mode"}},
		{"an authority of the caller's", with(byIAM(), "ssl_root_cert", certificate(t, nil)), []string{"ssl_root_cert"}},
		{"a URL", with(byURL("postgres://u:p@"+rdsHost+"/d"), "authentication", "rds_iam"), []string{"authentication"}},
		{"another host", with(byIAM(), "hostname", "db.example.com"), []string{"hostname"}},
		{"a host that only ends so", with(byIAM(), "hostname", "eu-west-1.rds.amazonaws.com"), []string{"hostname"}},
		{"a host without a region", with(byIAM(), "hostname", "a.b.c.rds.amazonaws.com"), []string{"hostname"}},
		{"an address", with(byIAM(), "hostname", "10.0.0.1"), []string{"hostname"}},
		{"China's domain without a region", with(byIAM(), "hostname", "a.b.rds.amazonaws.com.cn"), []string{"hostname"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := parse(t, tt.payload)
			if tt.faults == nil {
				if err != nil {
					t.Fatal(err)
				}
				if e := p.Target.Endpoint; e.ByIAM() && (!e.SSL || e.SSLMode != database.SSLModeVerifyFull || p.Target.Passwords != (database.Passwords{})) {
					t.Errorf("target %+v", p.Target)
				}
				return
			}
			e, ok := errors.AsType[*apierror.Error](err)
			if !ok || !slices.Equal(slices.Sorted(maps.Keys(e.Fields)), tt.faults) {
				t.Errorf("error %v, want the fields %v", err, tt.faults)
			}
		})
	}
}

func TestParseEvent_IAM(t *testing.T) {
	t.Parallel()
	detail, err := json.Marshal(with(byIAM(), "account_id", "acme"))
	if err != nil {
		t.Fatal(err)
	}
	if _, p, err := database.ParseEvent(detail); err != nil || !p.Target.Endpoint.ByIAM() {
		t.Errorf("payload %+v, error %v", p, err)
	}
}

func TestUpdate_IAM(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body string
		from       map[string]any
		password   string // afterwards, empty by IAM
		faults     []string
	}{
		{"from a password to IAM", `{"authentication":"rds_iam"}`, with(base(), "hostname", rdsHost), "", nil},
		{"the same with the mask, as the object has it", `{"authentication":"rds_iam","password":"************"}`, with(base(), "hostname", rdsHost), "", nil},
		{"on a host that is not of RDS", `{"authentication":"rds_iam"}`, base(), "", []string{"hostname"}},
		{"from IAM to a password", `{"authentication":"password","password":"new"}`, byIAM(), "new", nil},
		{"from IAM to a URL", `{"url":"postgres://u:new@db.example.com/d"}`, byIAM(), "new", nil},
		{"from IAM to nothing", `{"authentication":"password"}`, byIAM(), "", []string{"password"}},
		{"a password, with IAM as it is", `{"password":"new"}`, byIAM(), "", []string{"password"}},
		{"another port, with IAM as it is", `{"port":5433}`, byIAM(), "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.service.IAM = database.IAM{Tokens: token("a token"), Accounts: []string{"acme"}}
			old := f.create(tt.from)
			updated, err := f.update(old.ID, tt.body, true)
			if tt.faults != nil {
				e, ok := errors.AsType[*apierror.Error](err)
				if !ok || !slices.Equal(slices.Sorted(maps.Keys(e.Fields)), tt.faults) {
					t.Errorf("error %v, want the fields %v", err, tt.faults)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			dialled := f.prober.probed()
			if p := f.passwords(updated.Database); p.Main.Reveal() != tt.password || (updated.Database.SecretVersion == "") != (tt.password == "") {
				t.Errorf("stored %q in version %q", p.Main.Reveal(), updated.Database.SecretVersion)
			}
			if p := dialled[len(dialled)-1].Passwords.Main.Reveal(); tt.password == "" && p != "a token" {
				t.Errorf("dialled with %q", p)
			}
		})
	}
}

func TestUpdate_IAMUnverified(t *testing.T) {
	t.Parallel()
	primary := map[string]any{"hostname": rdsHost, "database": "d", "username": "u", "password": "w"}
	onRDS := with(with(base(), "hostname", rdsHost), "primary", primary)
	for _, tt := range []struct {
		name, body string
		accounts   []string
		from       map[string]any
		faults     []string
	}{
		{"an account that is not listed", `{"authentication":"rds_iam"}`, []string{"other"}, onRDS, []string{"authentication"}},
		{"its primary", `{"primary":{"authentication":"rds_iam"}}`, []string{"other"}, onRDS, []string{"primary.authentication"}},
		{"both", `{"authentication":"rds_iam","primary":{"authentication":"rds_iam"}}`, nil, onRDS, []string{"authentication", "primary.authentication"}},
		{"another host with it", `{"hostname":"` + rdsHost + `","authentication":"rds_iam"}`, nil, base(), []string{"authentication"}},
		{"an account that is no longer listed, on another port", `{"port":5433}`, nil, byIAM(), []string{"authentication"}},
		{"an account that is no longer listed, with another name", `{"name":"renamed"}`, nil, byIAM(), nil},
		{"an account that is no longer listed, with a password", `{"authentication":"password","password":"new"}`, nil, byIAM(), nil},
		{"an account that is listed", `{"authentication":"rds_iam"}`, []string{"acme"}, onRDS, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.service.IAM = database.IAM{Tokens: token("a token"), Accounts: []string{"acme"}}
			old := f.create(tt.from)
			f.service.IAM.Accounts = tt.accounts
			_, err := f.update(old.ID, tt.body, false)
			if tt.faults == nil && err == nil {
				return
			}
			e, ok := errors.AsType[*apierror.Error](err)
			if !ok || !slices.Equal(slices.Sorted(maps.Keys(e.Fields)), tt.faults) {
				t.Errorf("error %v, want the fields %v", err, tt.faults)
			}
			if kept, err := f.service.Get(t.Context(), "acme", old.ID); err != nil || kept.Version != old.Version || f.passwords(kept) != f.passwords(old) {
				t.Errorf("the database has changed, error %v", err)
			}
		})
	}
}

// token is the token of every login.
type token database.Password

func (t token) Token(context.Context, database.Endpoint, string) (database.Password, error) {
	return database.Password(t), nil
}
