package httpapi

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/apikey"
)

// Authorizer is the function that API Gateway asks who a caller is.
type Authorizer func(context.Context, events.APIGatewayCustomAuthorizerRequest) (events.APIGatewayCustomAuthorizerResponse, error)

// Authorize lets a good key's account call every route of the stage: the
// gateway keeps the answer for all of them. Its error is exactly Unauthorized,
// which the gateway makes a 401, for a key that is unknown, expired or revoked;
// any other error is a failure, which it makes a 503.
func Authorize(keys *apikey.Service) Authorizer {
	return func(ctx context.Context, e events.APIGatewayCustomAuthorizerRequest) (events.APIGatewayCustomAuthorizerResponse, error) {
		key, err := keys.Authorize(ctx, apikey.FromHeader(e.AuthorizationToken))
		if errors.Is(err, apikey.ErrUnauthorized) {
			return events.APIGatewayCustomAuthorizerResponse{}, errors.New("Unauthorized") //nolint:staticcheck // the gateway's word
		}
		if err != nil {
			return events.APIGatewayCustomAuthorizerResponse{}, err
		}
		known := map[string]any{"account_id": key.Account}
		if !key.ExpiresAt.IsZero() {
			known["expires_at"] = key.ExpiresAt.Unix()
		}
		return events.APIGatewayCustomAuthorizerResponse{
			PrincipalID: key.Account, PolicyDocument: allowStage(e.MethodArn), Context: known,
		}, nil
	}
}

// allowStage allows all routes of the stage that arn's route is of:
// arn:…:<api>/<stage>/<method>/<path>.
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
