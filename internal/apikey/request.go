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

// ListResponse has the keys of an account, newest last.
type ListResponse struct {
	APIKeys []Key `json:"api_keys"`
}

// RevokeResponse confirms that a key is revoked.
type RevokeResponse struct {
	Revoked bool `json:"revoked"`
}

// ParseCreateRequest reads the JSON form of a request at the time now. The error's
// kind is Malformed where body is not a JSON object, and Invalid, with every bad
// field, where a field is bad.
func ParseCreateRequest(body []byte, now time.Time) (CreateRequest, error) {
	return parse(body, func(o strictjson.Object) CreateRequest {
		r := CreateRequest{AccountID: required(o, "account_id", database.AccountRule), Name: required(o, "name", nameRule), Scopes: AllScopes()}
		if text := o.String("expires_at", nil); text != nil {
			var err error
			r.ExpiresAt, err = time.Parse(time.RFC3339, *text)
			if err != nil || !r.ExpiresAt.Truncate(time.Second).After(now) {
				o.Fault("expires_at", "must be a time in the future as in RFC 3339, such as 2030-01-31T00:00:00Z")
			}
		}
		if o.Has("scopes") {
			r.Scopes = scopesOf(o.Strings("scopes", scopeCountRule, scopeRule))
		}
		return r
	})
}

// ParseListRequest reads the JSON form of a request. Its errors are as
// ParseCreateRequest's.
func ParseListRequest(body []byte) (ListRequest, error) {
	return parse(body, func(o strictjson.Object) ListRequest {
		return ListRequest{AccountID: required(o, "account_id", database.AccountRule)}
	})
}

// ParseRevokeRequest reads the JSON form of a request. Its errors are as
// ParseCreateRequest's.
func ParseRevokeRequest(body []byte) (RevokeRequest, error) {
	return parse(body, func(o strictjson.Object) RevokeRequest {
		return RevokeRequest{AccountID: required(o, "account_id", database.AccountRule), ID: required(o, "id", idRule)}
	})
}

// parse returns what read makes of the object in body, or its faults.
func parse[Request any](body []byte, read func(strictjson.Object) Request) (Request, error) {
	var none Request
	faults := apierror.FieldErrors{}
	o, err := strictjson.Parse(body, faults)
	if err != nil {
		return none, err
	}
	request := read(o)
	o.RejectUnknown()
	if err := faults.AsError(); err != nil {
		return none, err
	}
	return request, nil
}

// required returns a string, and notes a fault if it is absent or breaks rule.
func required(o strictjson.Object, name string, rule strictjson.Rule[string]) string {
	o.Require(name)
	if s := o.String(name, rule); s != nil {
		return *s
	}
	return ""
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
