package apikey

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/requestlog"
)

// Functions holds the handlers of the Lambda functions that manage keys. Each
// invocation leaves one line in the log.
type Functions struct {
	Service *Service
	Log     *slog.Logger
}

// Create handles create-api-key, whose event is the JSON form of a CreateRequest.
func (f Functions) Create(ctx context.Context, event json.RawMessage) (CreateResponse, error) {
	ctx = requestlog.Start(ctx)
	var response CreateResponse
	request, err := ParseCreateRequest(event, f.Service.Now())
	if err == nil {
		response, err = f.Service.Create(ctx, request)
	}
	f.write(ctx, "create-api-key", request.AccountID, response.ID, err)
	return response, err
}

// List handles list-api-keys, whose event is the JSON form of a ListRequest.
func (f Functions) List(ctx context.Context, event json.RawMessage) (ListResponse, error) {
	ctx = requestlog.Start(ctx)
	var response ListResponse
	request, err := ParseListRequest(event)
	if err == nil {
		response, err = f.Service.List(ctx, request)
	}
	f.write(ctx, "list-api-keys", request.AccountID, "", err)
	return response, err
}

// Revoke handles revoke-api-key, whose event is the JSON form of a RevokeRequest.
func (f Functions) Revoke(ctx context.Context, event json.RawMessage) (RevokeResponse, error) {
	ctx = requestlog.Start(ctx)
	var response RevokeResponse
	request, err := ParseRevokeRequest(event)
	if err == nil {
		response, err = f.Service.Revoke(ctx, request)
	}
	f.write(ctx, "revoke-api-key", request.AccountID, request.ID, err)
	return response, err
}

func (f Functions) write(ctx context.Context, operation, account, keyID string, err error) {
	entry := requestlog.Entry{Kind: requestlog.Invocation, Operation: operation, Account: account, KeyID: keyID}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		entry.RequestID = lc.AwsRequestID
	}
	if e, ok := errors.AsType[*apierror.Error](err); ok {
		entry.Code = e.Code
	}
	if err != nil && !callersFault(err) {
		entry.Err = err
	}
	entry.Write(ctx, f.Log, "")
}

// callersFault reports whether another request would succeed.
func callersFault(err error) bool {
	switch apierror.KindOf(err) {
	case apierror.Malformed, apierror.Invalid, apierror.NotFound:
		return true
	}
	return false
}
