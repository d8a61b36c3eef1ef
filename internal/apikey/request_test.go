package apikey_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/apikey"
)

func TestParseCreateRequest(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 12, 0, 1, 0, time.UTC)
	all := apikey.AllScopes()
	tests := map[string]struct {
		json string
		want apikey.CreateRequest
	}{
		"without an expiry":   {`{"account_id":"a","name":"n"}`, apikey.CreateRequest{AccountID: "a", Name: "n", Scopes: all}},
		"a null expiry":       {`{"account_id":"a","name":"n","expires_at":null}`, apikey.CreateRequest{AccountID: "a", Name: "n", Scopes: all}},
		"in the next second":  {`{"account_id":"a","name":"n","expires_at":"2026-03-04T12:00:01Z"}`, apikey.CreateRequest{AccountID: "a", Name: "n", ExpiresAt: at, Scopes: all}},
		"the longest account": {`{"account_id":"` + strings.Repeat("a", 64) + `","name":"n"}`, apikey.CreateRequest{AccountID: strings.Repeat("a", 64), Name: "n", Scopes: all}},
		"scopes":              {`{"account_id":"a","name":"n","scopes":["reveal","read","reveal"]}`, apikey.CreateRequest{AccountID: "a", Name: "n", Scopes: apikey.Scopes{"read", "reveal"}}},
		"null scopes":         {`{"account_id":"a","name":"n","scopes":null}`, apikey.CreateRequest{AccountID: "a", Name: "n", Scopes: all}},
		"the longest name":    {`{"account_id":"a","name":"` + strings.Repeat("é", 255) + `"}`, apikey.CreateRequest{AccountID: "a", Name: strings.Repeat("é", 255), Scopes: all}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := apikey.ParseCreateRequest([]byte(tt.json), noon); err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestParseCreateRequest_UnknownScope(t *testing.T) {
	t.Parallel()
	_, err := apikey.ParseCreateRequest([]byte(`{"account_id":"a","name":"n","scopes":["admin"]}`), noon)
	if want := `"admin" is not a scope; the scopes are read, write, reveal`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one with %s", err, want)
	}
}

func TestParseListRequest(t *testing.T) {
	t.Parallel()
	if got, err := apikey.ParseListRequest([]byte(`{"account_id":"a"}`)); err != nil || got.AccountID != "a" {
		t.Errorf("%+v, %v", got, err)
	}
	for text, fields := range map[string][]string{`{}`: {"account_id"}, `{"account_id":"a b","id":"x"}`: {"account_id", "id"}} {
		_, err := apikey.ParseListRequest([]byte(text))
		wantFields(t, err, fields)
	}
}

func TestParseCreateRequest_Invalid(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		json   string
		fields []string
	}{
		"nothing given":           {`{}`, []string{"account_id", "name"}},
		"nulls":                   {`{"account_id":null,"name":null,"expires_at":null}`, []string{"account_id", "name"}},
		"wrong types":             {`{"account_id":1,"name":[],"expires_at":5}`, []string{"account_id", "name", "expires_at"}},
		"an empty account":        {`{"account_id":"","name":"n"}`, []string{"account_id"}},
		"a space in the account":  {`{"account_id":"a b","name":"n"}`, []string{"account_id"}},
		"an account in Greek":     {`{"account_id":"αβ","name":"n"}`, []string{"account_id"}},
		"an account too long":     {`{"account_id":"` + strings.Repeat("a", 65) + `","name":"n"}`, []string{"account_id"}},
		"a name too long":         {`{"account_id":"a","name":"` + strings.Repeat("é", 256) + `"}`, []string{"name"}},
		"an empty name":           {`{"account_id":"a","name":""}`, []string{"name"}},
		"not a time":              {`{"account_id":"a","name":"n","expires_at":"tomorrow"}`, []string{"expires_at"}},
		"an empty time":           {`{"account_id":"a","name":"n","expires_at":""}`, []string{"expires_at"}},
		"a time without its zone": {`{"account_id":"a","name":"n","expires_at":"2030-01-01T00:00:00"}`, []string{"expires_at"}},
		"the zero time":           {`{"account_id":"a","name":"n","expires_at":"0001-01-01T00:00:00Z"}`, []string{"expires_at"}},
		"within the same second":  {`{"account_id":"a","name":"n","expires_at":"2026-03-04T12:00:00.5Z"}`, []string{"expires_at"}},
		"an unknown field":        {`{"account_id":"a","name":"n","expiry":"2030-01-01T00:00:00Z"}`, []string{"expiry"}},
		"no scopes":               {`{"account_id":"a","name":"n","scopes":[]}`, []string{"scopes"}},
		"scopes in a string":      {`{"account_id":"a","name":"n","scopes":"read"}`, []string{"scopes"}},
		"unknown scopes":          {`{"account_id":"a","name":"n","scopes":["read","admin","Write",1]}`, []string{"scopes[1]", "scopes[2]", "scopes[3]"}},
		"another letter case":     {`{"Account_ID":"a","name":"n"}`, []string{"Account_ID", "account_id"}},
		"everything at once":      {`{"account_id":"?","name":"","expires_at":"x","more":{}}`, []string{"account_id", "name", "expires_at", "more"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := apikey.ParseCreateRequest([]byte(tt.json), noon)
			wantFields(t, err, tt.fields)
		})
	}
}

func TestParseRevokeRequest(t *testing.T) {
	t.Parallel()
	got, err := apikey.ParseRevokeRequest([]byte(`{"account_id":"a","id":"0123456789abcdef"}`))
	if want := (apikey.RevokeRequest{AccountID: "a", ID: "0123456789abcdef"}); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

func TestParseRevokeRequest_Invalid(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		json   string
		fields []string
	}{
		"nothing given":    {`{}`, []string{"account_id", "id"}},
		"an ID too short":  {`{"account_id":"a","id":"0123456789abcde"}`, []string{"id"}},
		"an ID in capital": {`{"account_id":"a","id":"0123456789ABCDEF"}`, []string{"id"}},
		"an unknown field": {`{"account_id":"a","id":"0123456789abcdef","name":"n"}`, []string{"name"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := apikey.ParseRevokeRequest([]byte(tt.json))
			wantFields(t, err, tt.fields)
		})
	}
}

func wantFields(t *testing.T, err error, fields []string) {
	t.Helper()
	e, ok := errors.AsType[*apierror.Error](err)
	if !ok || e.Kind != apierror.Invalid || len(e.Fields) != len(fields) {
		t.Fatalf("error %v, want one that names %v", err, fields)
	}
	for _, field := range fields {
		if len(e.Fields[field]) != 1 {
			t.Errorf("%s has %q", field, e.Fields[field])
		}
	}
}

func TestParse_Malformed(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, `null`, `[]`, `"x"`, `5`, `{`, `{"name"`, `{"name":`, `{"name":"a"`, `{"name":"a"}{}`, `{"name":"a"}x`, `{,}`, `{"name":"a","name":"b"}`,
	} {
		if _, err := apikey.ParseCreateRequest([]byte(text), noon); apierror.KindOf(err) != apierror.Malformed {
			t.Errorf("create with %s: error %v, want Malformed", text, err)
		}
		if _, err := apikey.ParseRevokeRequest([]byte(text)); apierror.KindOf(err) != apierror.Malformed {
			t.Errorf("revoke with %s: error %v, want Malformed", text, err)
		}
	}
}
