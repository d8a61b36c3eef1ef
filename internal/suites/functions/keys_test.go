package functions_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

type madeKey struct {
	APIKey    string `json:"api_key"`
	ID        string `json:"id"`
	AccountID string `json:"account_id"`
	Name      string `json:"name"`
	ExpiresAt string `json:"expires_at"`
}

func makeKey(t *testing.T, f *runtimeapi.Function, request map[string]any) madeKey {
	t.Helper()
	var key madeKey
	if err := invoke(t, f, request, &key); err != nil {
		t.Fatal(err)
	}
	return key
}

func authorize(t *testing.T, f *runtimeapi.Function, key string) (events.APIGatewayCustomAuthorizerResponse, *runtimeapi.FunctionError) {
	t.Helper()
	var answer events.APIGatewayCustomAuthorizerResponse
	err := invoke(t, f, events.APIGatewayCustomAuthorizerRequest{
		Type: "TOKEN", AuthorizationToken: key,
		MethodArn: "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/v1/POST/api/postgres_databases",
	}, &answer)
	return answer, err
}

func TestKeys(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	create, revoke, authorizer := s.function("create-api-key"), s.function("revoke-api-key"), s.function("authorize-request")
	key := makeKey(t, create, map[string]any{"account_id": "acme", "name": "ci"})
	if !regexp.MustCompile(`^hg_[0-9A-Za-z]{43}$`).MatchString(key.APIKey) || key.AccountID != "acme" || key.Name != "ci" || len(key.ID) != 16 {
		t.Errorf("made %v", key)
	}

	answer, refused := authorize(t, authorizer, "Bearer "+key.APIKey)
	if refused != nil {
		t.Fatal(refused)
	}
	policy, err := json.Marshal(answer.PolicyDocument)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Context["account_id"] != "acme" || answer.Context["key_id"] != key.ID || answer.Context["expires_at"] != nil ||
		!strings.Contains(string(policy), `arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/v1/*`) {
		t.Errorf("context %v, policy %s", answer.Context, policy)
	}

	other := key.APIKey[:len(key.APIKey)-1] + string('0'+(key.APIKey[len(key.APIKey)-1]-'0'+1)%10)
	for _, token := range []string{"Bearer " + other, key.APIKey, "Bearer", "", "Basic " + key.APIKey} {
		if _, refused := authorize(t, authorizer, token); refused == nil || refused.Message != "Unauthorized" {
			t.Errorf("a token that is not the key's: %v", refused)
		}
	}

	for range 2 {
		var gone struct{ Revoked bool }
		if err := invoke(t, revoke, map[string]any{"account_id": "acme", "id": key.ID}, &gone); err != nil || !gone.Revoked {
			t.Fatalf("revoked %v, %v", gone.Revoked, err)
		}
	}
	if _, refused := authorize(t, authorizer, "Bearer "+key.APIKey); refused == nil || refused.Message != "Unauthorized" {
		t.Errorf("a revoked key: %v", refused)
	}
	if err := invoke(t, revoke, map[string]any{"account_id": "other", "id": key.ID}, new(any)); err == nil {
		t.Error("another account revoked it")
	}
	if l := line(t, create, "invocation"); l["key_id"] != key.ID || l["account"] != "acme" || l["request_id"] != l["requestId"] {
		t.Errorf("line %v", l)
	}
	s.nowhere("the key", key.APIKey, s.dump(), create.Logs(), revoke.Logs(), authorizer.Logs())
}

func TestKeys_Expiry(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	create, authorizer := s.function("create-api-key"), s.function("authorize-request")
	expires := time.Now().Add(3 * time.Second).UTC()
	key := makeKey(t, create, map[string]any{"account_id": "acme", "name": "ci", "expires_at": expires.Format(time.RFC3339)})
	answer, refused := authorize(t, authorizer, "Bearer "+key.APIKey)
	if refused != nil {
		t.Fatal(refused)
	}
	if answer.Context["expires_at"] != float64(expires.Unix()) {
		t.Errorf("expires_at %v, want %d", answer.Context["expires_at"], expires.Unix())
	}
	eventually(t, 15*time.Second, "the key's end", func() bool {
		_, refused := authorize(t, authorizer, "Bearer "+key.APIKey)
		return refused != nil && refused.Message == "Unauthorized"
	})
}

func TestKeys_InvalidRequest(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	create := s.function("create-api-key")
	err := invoke(t, create, map[string]any{"account_id": "a b", "expires_at": "yesterday", "nmae": "x"}, new(any))
	if err == nil {
		t.Fatal("it was taken")
	}
	for _, field := range []string{"account_id", "expires_at", "name", "nmae"} {
		if !strings.Contains(err.Message, field) {
			t.Errorf("%q does not name %s", err.Message, field)
		}
	}
}
