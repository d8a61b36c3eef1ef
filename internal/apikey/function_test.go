package apikey_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/apikey"
)

func TestFunctions_Log(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	broken := &apikey.Service{Store: away{apierror.New(apierror.Unavailable, "away", nil)}, Now: func() time.Time { return noon }}
	made := create(t, s, apikey.CreateRequest{AccountID: "acme", Name: "ci"})
	const good = `{"account_id":"acme","name":"ci"}`
	revocation := fmt.Sprintf(`{"account_id":"acme","id":%q}`, made.ID)
	tests := []struct {
		name    string
		service *apikey.Service
		revoke  bool
		event   string
		want    map[string]any // nil means that the member is absent
	}{
		{"created", s, false, good, map[string]any{"level": "INFO", "operation": "create-api-key", "account": "acme"}},
		{"revoked", s, true, revocation, map[string]any{"level": "INFO", "operation": "revoke-api-key", "account": "acme", "key_id": made.ID}},
		{"invalid", s, false, `{"account_id":"acme"}`, map[string]any{"level": "INFO", "code": "invalid_payload", "account": nil, "key_id": nil}},
		{"unknown", s, true, `{"account_id":"acme","id":"0123456789abcdef"}`, map[string]any{"level": "INFO", "key_id": "0123456789abcdef"}},
		{"a store that is away", broken, true, revocation, map[string]any{"level": "ERROR", "key_id": made.ID}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			f := apikey.Functions{Service: tt.service, Log: slog.New(slog.NewJSONHandler(&out, nil))}
			ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "r"})
			var key, id string
			var err error
			if tt.revoke {
				_, err = f.Revoke(ctx, json.RawMessage(tt.event))
			} else {
				var response apikey.CreateResponse
				response, err = f.Create(ctx, json.RawMessage(tt.event))
				key, id = response.APIKey.Reveal(), response.ID
			}
			var line map[string]any
			if decodeErr := json.Unmarshal(out.Bytes(), &line); decodeErr != nil {
				t.Fatalf("%v: %s", decodeErr, out.String())
			}
			for name, want := range tt.want {
				if line[name] != want {
					t.Errorf("%s is %v, want %v", name, line[name], want)
				}
			}
			if line["msg"] != "invocation" || line["request_id"] != "r" || id != "" && line["key_id"] != id {
				t.Errorf("line %s", out.String())
			}
			if (line["level"] == "ERROR") != (line["error"] != nil) || line["level"] == "ERROR" && err == nil {
				t.Errorf("error %v, line %s", err, out.String())
			}
			if key != "" && strings.Contains(out.String(), key) {
				t.Error("the key is in the log")
			}
		})
	}
}
