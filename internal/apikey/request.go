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

// CreateRequest asks for a key. Its JSON form is {"account_id","name","expires_at"?}.
type CreateRequest struct {
	AccountID string
	// Name is for people.
	Name string
	// ExpiresAt is zero for a key that does not expire.
	ExpiresAt time.Time
}

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
	o.RejectUnknown()
	if err := faults.AsError(); err != nil {
		return CreateRequest{}, err
	}
	return CreateRequest{AccountID: *account, Name: *name, ExpiresAt: expiresAt}, nil
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
	}{r.APIKey.Reveal(), r.ID, r.AccountID, r.Name, r.ExpiresAt})
}

// LogValue returns the response without the key.
func (r CreateResponse) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", r.ID), slog.String("account_id", r.AccountID))
}
