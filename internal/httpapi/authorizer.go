package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/apikey"
)

// Authorizer is a Lambda authorizer of type TOKEN.
type Authorizer func(context.Context, events.APIGatewayCustomAuthorizerRequest) (events.APIGatewayCustomAuthorizerResponse, error)

// Authorize returns the API's authorizer. Its policy allows every route of the
// stage, because the gateway caches it for all of them. For a key that is unknown,
// expired or revoked, its error is Unauthorized, which the gateway turns into a
// 401; any other error becomes a 503. A use of a key that can't be recorded is
// logged, and the key is let in.
func Authorize(keys *apikey.Service, log *slog.Logger) Authorizer {
	return func(ctx context.Context, e events.APIGatewayCustomAuthorizerRequest) (events.APIGatewayCustomAuthorizerResponse, error) {
		key, err := keys.Authorize(ctx, apikey.FromHeader(e.AuthorizationToken))
		if errors.Is(err, apikey.ErrUnauthorized) {
			return events.APIGatewayCustomAuthorizerResponse{}, errors.New("Unauthorized") //nolint:staticcheck // the gateway's word
		}
		if err != nil {
			return events.APIGatewayCustomAuthorizerResponse{}, err
		}
		// Before the answer, because nothing may run after it.
		if err := keys.RecordUse(ctx, key); err != nil {
			log.WarnContext(ctx, "use of a key not recorded", "key_id", key.ID, "error", err)
		}
		found := map[string]any{"account_id": key.Account, "key_id": key.ID, "scopes": key.Scopes.String()}
		if !key.ExpiresAt.IsZero() {
			found["expires_at"] = key.ExpiresAt.Unix()
		}
		return events.APIGatewayCustomAuthorizerResponse{
			PrincipalID: key.Account, PolicyDocument: allowStage(e.MethodArn), Context: found,
		}, nil
	}
}

// allowStage returns a policy for all routes of the stage that a route's ARN
// belongs to: arn:…:<api>/<stage>/<method>/<path>.
func allowStage(arn string) events.APIGatewayCustomAuthorizerPolicy {
	parts := strings.SplitN(arn, "/", 3)
	resource := arn
	if len(parts) == 3 {
		resource = parts[0] + "/" + parts[1] + "/*"
	}
	return events.APIGatewayCustomAuthorizerPolicy{
		Version: "2012-10-17",
		Statement: []events.IAMPolicyStatement{{
			Action: []string{"execute-api:Invoke"}, Effect: "Allow", Resource: []string{resource},
		}},
	}
}
