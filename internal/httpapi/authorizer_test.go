package httpapi_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/apikey"
	"github.com/headgate/headgate/internal/httpapi"
)

// oneKey is a store with one key, whose use can't be recorded in time: RecordUse
// waits until ctx ends. No real store can be made to do that.
type oneKey struct {
	apikey.Store
	key apikey.Key
}

func (s oneKey) Find(context.Context, string) (apikey.Key, error) { return s.key, nil }

func (s oneKey) RecordUse(ctx context.Context, _, _ string) error {
	<-ctx.Done()
	return apierror.New(apierror.UnknownOutcome, "away", ctx.Err())
}

func TestAuthorize_UseNotRecorded(t *testing.T) {
	t.Parallel()
	text, key := apikey.New(apikey.CreateRequest{AccountID: "acme", Name: "ci", Scopes: apikey.AllScopes()}, now())
	var log bytes.Buffer
	authorize := httpapi.Authorize(&apikey.Service{Store: oneKey{key: key}, Now: now}, slog.New(slog.NewJSONHandler(&log, nil)))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	answer, err := authorize(ctx, events.APIGatewayCustomAuthorizerRequest{
		AuthorizationToken: "Bearer " + text.Reveal(), MethodArn: "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/v1/GET/api",
	})
	if err != nil || answer.Context["account_id"] != "acme" || ctx.Err() != nil {
		t.Errorf("%v, %v, want the key to be let in before the time is up", answer, err)
	}
	if !strings.Contains(log.String(), key.ID) || strings.Contains(log.String(), text.Reveal()) {
		t.Errorf("log %s", log.String())
	}
}
