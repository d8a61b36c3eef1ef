package database_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

func TestParseEvent(t *testing.T) {
	t.Parallel()
	detail := func() map[string]any { return with(referencing(), "account_id", "acme") }
	for _, tt := range []struct {
		name    string
		detail  map[string]any
		account string
		faults  []string
	}{
		{"a password by reference", detail(), "acme", nil},
		{"a user name besides", with(detail(), "username", "u"), "acme", nil},
		{"a primary by reference", with(detail(), "primary", map[string]any{"hostname": "p", "database": "d", "password_secret_arn": arn}), "acme", nil},
		{"annotations", with(detail(), "annotations", map[string]any{"a": 1}), "acme", nil},
		{"no account", without(detail(), "account_id"), "", []string{"account_id"}},
		{"a bad account", with(detail(), "account_id", "a/b"), "", []string{"account_id"}},
		{"a password", with(detail(), "password", "p"), "acme", []string{"password"}},
		{"neither", without(detail(), "password_secret_arn"), "acme", []string{"password_secret_arn"}},
		{"a url", with(without(without(without(detail(), "hostname"), "database"), "password_secret_arn"), "url", "postgres://u:w@h/d"), "acme", []string{"url"}},
		{"a primary's password", with(detail(), "primary", map[string]any{"hostname": "p", "database": "d", "password": "p"}), "acme", []string{"primary.password", "primary.password_secret_arn"}},
		{"an unknown field", with(detail(), "account", "acme"), "acme", []string{"account"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			body, err := json.Marshal(tt.detail)
			if err != nil {
				t.Fatal(err)
			}
			account, p, err := database.ParseEvent(body)
			if account != tt.account {
				t.Errorf("account %q, want %q", account, tt.account)
			}
			if tt.faults == nil {
				if err != nil || p.Target.Endpoint.PasswordSecretARN != arn {
					t.Errorf("error %v", err)
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
