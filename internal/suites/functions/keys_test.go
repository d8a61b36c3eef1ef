package functions_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

type keyResource struct {
	APIKey    string `json:"api_key"`
	ID        string `json:"id"`
	AccountID string `json:"account_id"`
	Name      string `json:"name"`
	ExpiresAt string `json:"expires_at"`
	Scopes    []string
	// Of a key that is listed.
	RevokedAt  string `json:"revoked_at"`
	LastUsedOn string `json:"last_used_on"`
}

func createKey(t *testing.T, f *runtimeapi.Function, request map[string]any) keyResource {
	t.Helper()
	var key keyResource
	if err := invoke(t, f, request, &key); err != nil {
		t.Fatal(err)
	}
	return key
}

func authorize(t *testing.T, f *runtimeapi.Function, token string) (events.APIGatewayCustomAuthorizerResponse, *runtimeapi.FunctionError) {
	t.Helper()
	var response events.APIGatewayCustomAuthorizerResponse
	err := invoke(t, f, events.APIGatewayCustomAuthorizerRequest{
		Type: "TOKEN", AuthorizationToken: token,
		MethodArn: "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/v1/POST/api/postgres_databases",
	}, &response)
	return response, err
}

func wantUnauthorized(t *testing.T, f *runtimeapi.Function, what, token string) {
	t.Helper()
	if _, err := authorize(t, f, token); err == nil || err.Message != "Unauthorized" {
		t.Errorf("%s: error %v, want Unauthorized", what, err)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	create, revoke, authorizer := s.function("create-api-key"), s.function("revoke-api-key"), s.function("authorize-request")
	key := createKey(t, create, map[string]any{"account_id": "acme", "name": "ci"})
	if !regexp.MustCompile(`^hg_[0-9A-Za-z]{43}$`).MatchString(key.APIKey) || key.AccountID != "acme" || key.Name != "ci" || len(key.ID) != 16 {
		t.Errorf("created %v", key)
	}

	response, err := authorize(t, authorizer, "Bearer "+key.APIKey)
	if err != nil {
		t.Fatal(err)
	}
	policy, encodeErr := json.Marshal(response.PolicyDocument)
	if encodeErr != nil {
		t.Fatal(encodeErr)
	}
	if response.Context["account_id"] != "acme" || response.Context["key_id"] != key.ID || response.Context["expires_at"] != nil || response.Context["scopes"] != "read,write,reveal" ||
		!contains(string(policy), `arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/v1/*`) {
		t.Errorf("context %v, policy %s", response.Context, policy)
	}
	last := len(key.APIKey) - 1
	other := key.APIKey[:last] + string('0'+(key.APIKey[last]-'0'+1)%10)
	for _, token := range []string{"Bearer " + other, key.APIKey, "Bearer", "", "Basic " + key.APIKey} {
		wantUnauthorized(t, authorizer, "another token", token)
	}

	for range 2 {
		var revoked struct{ Revoked bool }
		if err := invoke(t, revoke, map[string]any{"account_id": "acme", "id": key.ID}, &revoked); err != nil || !revoked.Revoked {
			t.Fatalf("revoked %v, error %v", revoked.Revoked, err)
		}
	}
	wantUnauthorized(t, authorizer, "a revoked key", "Bearer "+key.APIKey)
	if err := invoke(t, revoke, map[string]any{"account_id": "other", "id": key.ID}, new(any)); err == nil {
		t.Error("another account can revoke the key")
	}
	if line := logLine(t, create, "invocation"); line["key_id"] != key.ID || line["account"] != "acme" || line["request_id"] != line["requestId"] {
		t.Errorf("line %v", line)
	}
	_, items := s.contents()
	wantAbsent(t, key.APIKey, items, create.Logs(), revoke.Logs(), authorizer.Logs())
}

func TestKeys_List(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	create, list, authorizer := s.function("create-api-key"), s.function("list-api-keys"), s.function("authorize-request")
	listed := func() []keyResource {
		t.Helper()
		var response struct {
			APIKeys []keyResource `json:"api_keys"`
		}
		if err := invoke(t, list, map[string]any{"account_id": "acme"}, &response); err != nil {
			t.Fatal(err)
		}
		return response.APIKeys
	}
	if keys := listed(); keys == nil || len(keys) != 0 {
		t.Errorf("listed %v, want an empty list", keys)
	}
	first := createKey(t, create, map[string]any{"account_id": "acme", "name": "first", "scopes": []string{"read"}})
	second := createKey(t, create, map[string]any{"account_id": "acme", "name": "second"})
	createKey(t, create, map[string]any{"account_id": "other", "name": "third"})
	before := time.Now().UTC().Format(time.DateOnly)
	if _, err := authorize(t, authorizer, "Bearer "+second.APIKey); err != nil {
		t.Fatal(err)
	}
	if err := invoke(t, s.function("revoke-api-key"), map[string]any{"account_id": "acme", "id": first.ID}, new(any)); err != nil {
		t.Fatal(err)
	}
	keys := listed()
	if len(keys) != 2 || keys[0].ID != first.ID || keys[0].RevokedAt == "" || keys[0].LastUsedOn != "" || !slices.Equal(keys[0].Scopes, []string{"read"}) ||
		keys[1].ID != second.ID || keys[1].RevokedAt != "" || keys[1].LastUsedOn < before || len(keys[1].Scopes) != 3 {
		t.Errorf("listed %+v, want the first, revoked and not used, and the second, used today", keys)
	}
	if keys[0].APIKey != "" {
		t.Error("the list has a key")
	}
}

func TestKeys_Expiry(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	create, authorizer := s.function("create-api-key"), s.function("authorize-request")
	expires := time.Now().Add(3 * time.Second).UTC()
	key := createKey(t, create, map[string]any{"account_id": "acme", "name": "ci", "expires_at": expires.Format(time.RFC3339)})
	response, err := authorize(t, authorizer, "Bearer "+key.APIKey)
	if err != nil {
		t.Fatal(err)
	}
	if response.Context["expires_at"] != float64(expires.Unix()) {
		t.Errorf("expires_at %v, want %d", response.Context["expires_at"], expires.Unix())
	}
	eventually(t, 15*time.Second, "the expiry", func() bool {
		_, err := authorize(t, authorizer, "Bearer "+key.APIKey)
		return err != nil && err.Message == "Unauthorized"
	})
}

func TestKeys_InvalidRequest(t *testing.T) {
	t.Parallel()
	create := newStack(t).function("create-api-key")
	err := invoke(t, create, map[string]any{"account_id": "a b", "expires_at": "yesterday", "nmae": "x"}, new(any))
	if err == nil || !contains(err.Message, "account_id", "expires_at", "name", "nmae") {
		t.Errorf("error %v does not name every invalid field", err)
	}
}
