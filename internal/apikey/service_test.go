package apikey_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/apikey"
	"github.com/headgate/headgate/internal/catalog"
	"github.com/headgate/headgate/internal/testkit/mototest"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// moto is the server of all tests. Each test has a table of its own.
var moto struct{ url string }

func TestMain(m *testing.M) {
	os.Exit(mototest.Main(m, func(s *mototest.Server) { moto.url = s.URL() }))
}

// newService returns a service on a real store, and its clock.
func newService(t *testing.T) (*apikey.Service, *time.Time) {
	t.Helper()
	table := "headgate-" + uuid.NewString()
	if err := mototest.CreateTable(t.Context(), moto.url, table); err != nil {
		t.Fatal(err)
	}
	now := noon
	return &apikey.Service{Store: catalog.Open(mototest.Config(moto.url), table).Keys(), Now: func() time.Time { return now }}, &now
}

func create(t *testing.T, s *apikey.Service, r apikey.CreateRequest) apikey.CreateResponse {
	t.Helper()
	response, err := s.Create(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func TestAuthorize(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	made := create(t, s, apikey.CreateRequest{AccountID: "acme", Name: "deploys"})
	k, err := s.Authorize(t.Context(), made.APIKey)
	if err != nil {
		t.Fatal(err)
	}
	if k.Account != "acme" || k.Name != "deploys" || k.ID != made.ID || !k.ExpiresAt.IsZero() || !strings.HasPrefix(made.APIKey.Hash(), k.ID) {
		t.Errorf("key %+v of %+v", k, made)
	}
}

func TestAuthorize_Unauthorized(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	good := create(t, s, apikey.CreateRequest{AccountID: "acme", Name: "deploys"}).APIKey
	for name, text := range map[string]apikey.Text{
		"nothing":             "",
		"a prefix":            "hg_",
		"an unknown key":      apikey.FromBytes([32]byte{1}),
		"a digit less":        good[:len(good)-1],
		"a digit more":        good + "0",
		"a space after":       good + " ",
		"another prefix":      "hG" + good[2:],
		"no prefix":           good[3:],
		"an odd digit":        good[:45] + "-",
		"an odd digit within": good[:20] + "-" + good[21:],
		"the hash":            apikey.Text(good.Hash()),
	} {
		if _, err := s.Authorize(t.Context(), text); !errors.Is(err, apikey.ErrUnauthorized) {
			t.Errorf("%s: error %v, want ErrUnauthorized", name, err)
		}
	}
}

func TestAuthorize_Expiry(t *testing.T) {
	t.Parallel()
	s, now := newService(t)
	expires := noon.Add(time.Hour)
	made := create(t, s, apikey.CreateRequest{AccountID: "acme", Name: "deploys", ExpiresAt: expires.Add(time.Millisecond)})
	if !made.ExpiresAt.Equal(expires) {
		t.Errorf("expires %s, want %s", made.ExpiresAt, expires)
	}
	*now = expires.Add(-time.Nanosecond)
	if k, err := s.Authorize(t.Context(), made.APIKey); err != nil || !k.ExpiresAt.Equal(expires) {
		t.Errorf("just before: %+v, %v", k, err)
	}
	*now = expires
	if _, err := s.Authorize(t.Context(), made.APIKey); !errors.Is(err, apikey.ErrUnauthorized) {
		t.Errorf("then: error %v, want ErrUnauthorized", err)
	}
}

func TestAuthorize_Scopes(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	for _, scopes := range []apikey.Scopes{apikey.AllScopes(), {apikey.Read}, {apikey.Write, apikey.Reveal}} {
		made := create(t, s, apikey.CreateRequest{AccountID: "acme", Name: "deploys", Scopes: scopes})
		k, err := s.Authorize(t.Context(), made.APIKey)
		if err != nil || !slices.Equal(made.Scopes, scopes) || !slices.Equal(k.Scopes, scopes) {
			t.Errorf("made with %v, found with %v (%v), want %v", made.Scopes, k.Scopes, err, scopes)
		}
	}
}

func TestRecordUse(t *testing.T) {
	t.Parallel()
	s, now := newService(t)
	writes := &countedStore{Store: s.Store}
	s.Store = writes
	made := create(t, s, apikey.CreateRequest{AccountID: "acme", Name: "deploys"})
	for i, step := range []struct {
		after  time.Duration
		day    string
		writes int
	}{
		{0, "2026-03-04", 1}, {time.Hour, "2026-03-04", 1}, {11 * time.Hour, "2026-03-05", 2}, {time.Hour, "2026-03-05", 2},
	} {
		*now = now.Add(step.after)
		k, err := s.Authorize(t.Context(), made.APIKey)
		if err == nil {
			err = s.RecordUse(t.Context(), k)
		}
		if err != nil {
			t.Fatal(err)
		}
		listed, err := s.List(t.Context(), apikey.ListRequest{AccountID: "acme"})
		if err != nil || len(listed.APIKeys) != 1 || listed.APIKeys[0].LastUsedOn != step.day || writes.uses != step.writes {
			t.Errorf("use %d: %+v (%v) after %d writes, want %s after %d", i, listed, err, writes.uses, step.day, step.writes)
		}
	}
}

// countedStore counts the calls of RecordUse.
type countedStore struct {
	apikey.Store
	uses int
}

func (s *countedStore) RecordUse(ctx context.Context, hash, day string) error {
	s.uses++
	return s.Store.RecordUse(ctx, hash, day)
}

func TestList(t *testing.T) {
	t.Parallel()
	s, now := newService(t)
	first := create(t, s, apikey.CreateRequest{AccountID: "acme", Name: "first", Scopes: apikey.Scopes{apikey.Read}})
	*now = noon.Add(time.Hour)
	second := create(t, s, apikey.CreateRequest{AccountID: "acme", Name: "second", Scopes: apikey.AllScopes(), ExpiresAt: noon.AddDate(1, 0, 0)})
	create(t, s, apikey.CreateRequest{AccountID: "other", Name: "third"})
	if _, err := s.Revoke(t.Context(), apikey.RevokeRequest{AccountID: "acme", ID: first.ID}); err != nil {
		t.Fatal(err)
	}
	response, err := s.List(t.Context(), apikey.ListRequest{AccountID: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(response)
	want := fmt.Sprintf(`{"api_keys":[{"id":%q,"name":"first","scopes":["read"],"created_at":"2026-03-04T12:00:00Z","revoked_at":"2026-03-04T13:00:00Z"},`+
		`{"id":%q,"name":"second","scopes":["read","write","reveal"],"created_at":"2026-03-04T13:00:00Z","expires_at":"2027-03-04T12:00:00Z"}]}`, first.ID, second.ID)
	if err != nil || string(got) != want {
		t.Errorf("%s (%v), want %s", got, err, want)
	}
	response, err = s.List(t.Context(), apikey.ListRequest{AccountID: "nobody"})
	if got, encodeErr := json.Marshal(response); err != nil || encodeErr != nil || string(got) != `{"api_keys":[]}` {
		t.Errorf("%s (%v, %v), want no keys", got, err, encodeErr)
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	made := create(t, s, apikey.CreateRequest{AccountID: "acme", Name: "deploys"})
	other := create(t, s, apikey.CreateRequest{AccountID: "acme", Name: "deploys"})
	for range 2 {
		response, err := s.Revoke(t.Context(), apikey.RevokeRequest{AccountID: "acme", ID: made.ID})
		if err != nil || !response.Revoked {
			t.Fatalf("%+v, %v", response, err)
		}
	}
	if _, err := s.Authorize(t.Context(), made.APIKey); !errors.Is(err, apikey.ErrUnauthorized) {
		t.Errorf("error %v, want ErrUnauthorized", err)
	}
	if _, err := s.Authorize(t.Context(), other.APIKey); err != nil {
		t.Errorf("the other key: %v", err)
	}
}

func TestRevoke_NotFound(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	made := create(t, s, apikey.CreateRequest{AccountID: "acme", Name: "deploys"})
	for name, r := range map[string]apikey.RevokeRequest{
		"an unknown ID":   {AccountID: "acme", ID: "0123456789abcdef"},
		"another account": {AccountID: "other", ID: made.ID},
	} {
		_, err := s.Revoke(t.Context(), r)
		if apierror.KindOf(err) != apierror.NotFound || !strings.Contains(err.Error(), r.ID) {
			t.Errorf("%s: error %v, want NotFound", name, err)
		}
	}
	if _, err := s.Authorize(t.Context(), made.APIKey); err != nil {
		t.Error(err)
	}
}

// away is a store that only returns err, which the real one can't be made to do.
type away struct{ err error }

func (a away) Insert(context.Context, apikey.Key) error                { return a.err }
func (a away) Find(context.Context, string) (apikey.Key, error)        { return apikey.Key{}, a.err }
func (a away) Revoke(context.Context, string, string, time.Time) error { return a.err }
func (a away) List(context.Context, string) ([]apikey.Key, error)      { return nil, a.err }
func (a away) RecordUse(context.Context, string, string) error         { return a.err }

func TestService_StoreErrors(t *testing.T) {
	t.Parallel()
	cause := apierror.New(apierror.Unavailable, "away", nil)
	s := &apikey.Service{Store: away{cause}, Now: func() time.Time { return noon }}
	_, authorizeErr := s.Authorize(t.Context(), apikey.FromBytes([32]byte{1}))
	_, createErr := s.Create(t.Context(), apikey.CreateRequest{AccountID: "acme", Name: "deploys"})
	_, revokeErr := s.Revoke(t.Context(), apikey.RevokeRequest{AccountID: "acme", ID: "0123456789abcdef"})
	_, listErr := s.List(t.Context(), apikey.ListRequest{AccountID: "acme"})
	useErr := s.RecordUse(t.Context(), apikey.Key{})
	for _, err := range []error{authorizeErr, createErr, revokeErr, listErr, useErr} {
		if !errors.Is(err, cause) || errors.Is(err, apikey.ErrUnauthorized) || apierror.KindOf(err) != apierror.Unavailable {
			t.Errorf("error %v", err)
		}
	}
}

func TestCreateResponse_JSON(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		expires time.Time
		want    string
	}{
		"without an expiry": {time.Time{}, `{"api_key":"hg_x","id":"i","account_id":"a","name":"n","scopes":["read","write"]}`},
		"with an expiry": {
			noon, `{"api_key":"hg_x","id":"i","account_id":"a","name":"n","expires_at":"2026-03-04T12:00:00Z","scopes":["read","write"]}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(apikey.CreateResponse{APIKey: "hg_x", ID: "i", AccountID: "a", Name: "n", ExpiresAt: test.expires, Scopes: apikey.Scopes{"read", "write"}})
			if err != nil || string(got) != test.want {
				t.Errorf("%s, %v, want %s", got, err, test.want)
			}
		})
	}
}
