package apikey

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/strictjson"
)

const maxName = 255

// CreateRequest asks for a key. Its JSON form is
// {"account_id","name","expires_at"?,"scopes"?}.
type CreateRequest struct {
	AccountID string
	// Name is for people.
	Name string
	// ExpiresAt is zero for a key that does not expire. A key has it in seconds.
	ExpiresAt time.Time
	// Scopes are all scopes if none are sent.
	Scopes Scopes
}

// ListRequest asks for the keys of an account. Its JSON form is {"account_id"}.
type ListRequest struct{ AccountID string }

// RevokeRequest asks for the end of a key. Its JSON form is {"account_id","id"}.
type RevokeRequest struct {
	AccountID string
	ID        string
}

// CreateResponse is a new key. Encoded as JSON it has the key in clear, which is
// the only time that the key is shown; formatted or logged it does not.
type CreateResponse struct {
	APIKey    Text
	ID        string
	AccountID string
	Name      string
	// ExpiresAt is zero for a key that does not expire.
	ExpiresAt time.Time
	Scopes    Scopes
}

// ListResponse has the keys of an account, newest last. Its JSON form has neither
// their hashes nor the account.
type ListResponse struct {
	APIKeys []ListedKey `json:"api_keys"`
}

// ListedKey is a key as it is listed. ExpiresAt, RevokedAt and LastUsedOn are zero
// as a Key's are.
type ListedKey struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Scopes     Scopes    `json:"scopes"`
	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"`
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
	LastUsedOn string    `json:"last_used_on,omitempty"`
}

// RevokeResponse confirms that a key is revoked.
type RevokeResponse struct {
	Revoked bool `json:"revoked"`
}

// ParseCreateRequest reads the JSON form of a request at the time now. The error's
// kind is Malformed where body is not a JSON object, and Invalid, with every bad
// field, where a field is bad.
func ParseCreateRequest(body []byte, now time.Time) (CreateRequest, error) {
	faults := apierror.FieldErrors{}
	o, err := strictjson.Parse(body, faults)
	if err != nil {
		return CreateRequest{}, err
	}
	o.Require("account_id", "name")
	account, name := o.String("account_id", database.AccountRule), o.String("name", nameRule)
	var expiresAt time.Time
	if text := o.String("expires_at", nil); text != nil {
		expiresAt, err = time.Parse(time.RFC3339, *text)
		if err != nil || !expiresAt.Truncate(time.Second).After(now) {
			o.Fault("expires_at", "must be a time in the future as in RFC 3339, such as 2030-01-31T00:00:00Z")
		}
	}
	scopes := AllScopes()
	if o.Has("scopes") {
		scopes = scopesOf(o.Strings("scopes", scopeCountRule, scopeRule))
	}
	o.RejectUnknown()
	if err := faults.AsError(); err != nil {
		return CreateRequest{}, err
	}
	return CreateRequest{AccountID: *account, Name: *name, ExpiresAt: expiresAt, Scopes: scopes}, nil
}

// ParseListRequest reads the JSON form of a request. Its errors are as
// ParseCreateRequest's.
func ParseListRequest(body []byte) (ListRequest, error) {
	faults := apierror.FieldErrors{}
	o, err := strictjson.Parse(body, faults)
	if err != nil {
		return ListRequest{}, err
	}
	o.Require("account_id")
	account := o.String("account_id", database.AccountRule)
	o.RejectUnknown()
	if err := faults.AsError(); err != nil {
		return ListRequest{}, err
	}
	return ListRequest{AccountID: *account}, nil
}

// ParseRevokeRequest reads the JSON form of a request. Its errors are as
// ParseCreateRequest's.
func ParseRevokeRequest(body []byte) (RevokeRequest, error) {
	faults := apierror.FieldErrors{}
	o, err := strictjson.Parse(body, faults)
	if err != nil {
		return RevokeRequest{}, err
	}
	o.Require("account_id", "id")
	account, id := o.String("account_id", database.AccountRule), o.String("id", idRule)
	o.RejectUnknown()
	if err := faults.AsError(); err != nil {
		return RevokeRequest{}, err
	}
	return RevokeRequest{AccountID: *account, ID: *id}, nil
}

func nameRule(s string) string {
	if n := utf8.RuneCountInString(s); n == 0 || n > maxName {
		return fmt.Sprintf("must be 1 to %d characters", maxName)
	}
	return ""
}

func scopeCountRule(n int) string {
	if n == 0 {
		return "must have at least one scope; without it, the key has all"
	}
	return ""
}

func scopeRule(s string) string {
	if !Scope(s).known() {
		return fmt.Sprintf("%q is not a scope; the scopes are %s", strictjson.Bounded(s), strings.ReplaceAll(AllScopes().String(), ",", ", "))
	}
	return ""
}

func idRule(s string) string {
	if len(s) != idDigits || strings.Trim(s, "0123456789abcdef") != "" {
		return fmt.Sprintf("must be the %d hex digits that came with the key", idDigits)
	}
	return ""
}

// MarshalJSON returns the response with the key in clear.
func (r CreateResponse) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		APIKey    string    `json:"api_key"`
		ID        string    `json:"id"`
		AccountID string    `json:"account_id"`
		Name      string    `json:"name"`
		ExpiresAt time.Time `json:"expires_at,omitzero"`
		Scopes    Scopes    `json:"scopes"`
	}{r.APIKey.Reveal(), r.ID, r.AccountID, r.Name, r.ExpiresAt, r.Scopes})
}

// LogValue returns the response without the key.
func (r CreateResponse) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", r.ID), slog.String("account_id", r.AccountID))
}
