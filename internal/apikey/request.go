package apikey

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/headgate/headgate/internal/apierror"
)

const (
	maxAccount = 64
	maxName    = 255
)

// CreateRequest asks for a key. Its JSON form is
// {"account_id","name","expires_at"?}, and nothing else.
type CreateRequest struct {
	// AccountID is 1 to 64 of A–Z a–z 0–9 _ -.
	AccountID string
	// Name is 1 to 255 characters, for people.
	Name string
	// ExpiresAt is in the future, or zero.
	ExpiresAt time.Time

	faults apierror.FieldErrors
}

// RevokeRequest asks for the end of a key. Its JSON form is {"account_id","id"},
// and nothing else.
type RevokeRequest struct {
	AccountID string
	ID        string

	faults apierror.FieldErrors
}

// CreateResponse is a new key, the only time that it is shown. Encoded as JSON
// it holds the key in clear; formatted or logged it does not.
type CreateResponse struct {
	APIKey    Text
	ID        string
	AccountID string
	Name      string
	// ExpiresAt is zero for a key that does not expire.
	ExpiresAt time.Time
}

// RevokeResponse says that a key is revoked.
type RevokeResponse struct {
	Revoked bool `json:"revoked"`
}

// UnmarshalJSON reads a request. What is wrong with its fields is left for the
// service to say, all at once; the error is of kind Malformed.
func (r *CreateRequest) UnmarshalJSON(b []byte) error {
	f, err := parseFields(b)
	if err != nil {
		return err
	}
	*r = CreateRequest{AccountID: f.text("account_id"), Name: f.text("name")}
	if expires := f.text("expires_at"); f.given("expires_at") {
		r.ExpiresAt, err = time.Parse(time.RFC3339, expires)
		// The zero time would pass for none at all.
		if err != nil || r.ExpiresAt.IsZero() {
			f.faults.Add("expires_at", "must be a time to come as in RFC 3339, such as 2030-01-31T00:00:00Z")
		}
	}
	r.faults = f.rest()
	return nil
}

// UnmarshalJSON reads a request, as CreateRequest's does.
func (r *RevokeRequest) UnmarshalJSON(b []byte) error {
	f, err := parseFields(b)
	if err != nil {
		return err
	}
	*r = RevokeRequest{AccountID: f.text("account_id"), ID: f.text("id")}
	r.faults = f.rest()
	return nil
}

// MarshalJSON is the answer with the key in clear.
func (r CreateResponse) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		APIKey    string    `json:"api_key"`
		ID        string    `json:"id"`
		AccountID string    `json:"account_id"`
		Name      string    `json:"name"`
		ExpiresAt time.Time `json:"expires_at,omitzero"`
	}{r.APIKey.Reveal(), r.ID, r.AccountID, r.Name, r.ExpiresAt})
}

// LogValue is the answer without the key.
func (r CreateResponse) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", r.ID), slog.String("account_id", r.AccountID))
}

func (r CreateRequest) validate(now time.Time) error {
	faults := copyOf(r.faults)
	checkAccount(faults, r.AccountID)
	if len(faults["name"]) == 0 {
		switch n := utf8.RuneCountInString(r.Name); {
		case n == 0:
			faults.Add("name", "is required")
		case n > maxName:
			faults.Add("name", fmt.Sprintf("must be at most %d characters", maxName))
		case !utf8.ValidString(r.Name):
			faults.Add("name", "must be UTF-8")
		}
	}
	if !r.ExpiresAt.IsZero() && !r.ExpiresAt.Truncate(time.Second).After(now) {
		faults.Add("expires_at", "must be in the future")
	}
	return faults.AsError()
}

func (r RevokeRequest) validate() error {
	faults := copyOf(r.faults)
	checkAccount(faults, r.AccountID)
	if len(faults["id"]) == 0 && (len(r.ID) != idDigits || strings.Trim(r.ID, "0123456789abcdef") != "") {
		faults.Add("id", fmt.Sprintf("must be the %d hex digits that came with the key", idDigits))
	}
	return faults.AsError()
}

func checkAccount(faults apierror.FieldErrors, account string) {
	const accountCharacters = digits + "_-"
	switch {
	case len(faults["account_id"]) > 0:
	case account == "":
		faults.Add("account_id", "is required")
	case len(account) > maxAccount || strings.Trim(account, accountCharacters) != "":
		faults.Add("account_id", fmt.Sprintf("must be 1 to %d of A-Z a-z 0-9 _ -", maxAccount))
	}
}

func copyOf(f apierror.FieldErrors) apierror.FieldErrors {
	c := apierror.FieldErrors{}
	for path, messages := range f {
		c[path] = append([]string(nil), messages...)
	}
	return c
}

// fields are the members of a JSON object, and what is wrong with them.
type fields struct {
	members map[string]json.RawMessage
	known   map[string]bool
	faults  apierror.FieldErrors
}

// parseFields reads one JSON object, byte for byte: encoding/json alone would
// take a name in other letter case, and the last of two.
func parseFields(b []byte) (fields, error) {
	f := fields{members: map[string]json.RawMessage{}, known: map[string]bool{}, faults: apierror.FieldErrors{}}
	d := json.NewDecoder(bytes.NewReader(b))
	open, err := d.Token()
	if err != nil {
		return f, malformed("the request is not JSON", err)
	}
	if open != json.Delim('{') {
		return f, malformed("the request is not a JSON object", nil)
	}
	for d.More() {
		if err := f.member(d); err != nil {
			return f, err
		}
	}
	if _, err := d.Token(); err != nil {
		return f, malformed("the request is not JSON", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return f, malformed("something follows the request's JSON object", nil)
	}
	return f, nil
}

func (f fields) member(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return malformed("the request is not JSON", err)
	}
	// Within an object the decoder gives nothing but strings as names.
	name := fmt.Sprint(token)
	var value json.RawMessage
	if err := d.Decode(&value); err != nil {
		return malformed("the request is not JSON", err)
	}
	if _, twice := f.members[name]; twice {
		return malformed(fmt.Sprintf("the request has %q twice", name), nil)
	}
	f.members[name] = value
	return nil
}

func malformed(summary string, cause error) error {
	return apierror.New(apierror.Malformed, summary, cause)
}

// given says whether the field is there, and neither null nor wrong.
func (f fields) given(name string) bool {
	value, ok := f.members[name]
	return ok && string(value) != "null" && len(f.faults[name]) == 0
}

// text is the string in the field called name; null is as good as absent.
func (f fields) text(name string) string {
	f.known[name] = true
	if !f.given(name) {
		return ""
	}
	var s string
	if err := json.Unmarshal(f.members[name], &s); err != nil {
		f.faults.Add(name, "must be a string")
	}
	return s
}

// rest is every fault, with those of the fields that nobody asked for.
func (f fields) rest() apierror.FieldErrors {
	for name := range f.members {
		if !f.known[name] {
			f.faults.Add(name, "is not a field of this request")
		}
	}
	return f.faults
}
