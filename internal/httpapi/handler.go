// Package httpapi is the HTTP contract on API Gateway's REST proxy events:
// routes, the authorizer's context, statuses and JSON.
package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/requestlog"
	"github.com/headgate/headgate/internal/strictjson"
)

// Endpoint answers the requests of one operation.
type Endpoint func(context.Context, *Request) (Response, error)

// Handler answers API Gateway's events with its endpoints. It answers 404 for a
// route without an endpoint and for an unknown path, and 405 for a known path
// with another method.
type Handler struct {
	Endpoints map[Operation]Endpoint
	Log       *slog.Logger
	// Now is the clock that keys expire by.
	Now func() time.Time
	// Namespace is the metrics' namespace in CloudWatch. If it is empty, no metrics
	// are logged.
	Namespace string
}

// Serve returns the handler of a Lambda function that does one operation.
func Serve(log *slog.Logger, o Operation, e Endpoint) func(context.Context, events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
	return ServeRoutes(log, map[Operation]Endpoint{o: e})
}

// ServeRoutes is Serve for a function that does several operations.
func ServeRoutes(log *slog.Logger, endpoints map[Operation]Endpoint) func(context.Context, events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
	return (&Handler{
		Endpoints: endpoints, Log: log, Now: time.Now,
		Namespace: requestlog.Namespace(lambdacontext.LogGroupName),
	}).Handle
}

// Handle answers one event within [database.Budget] and logs it. Its error is
// always nil: a failure is a response too.
func (h *Handler) Handle(ctx context.Context, e events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
	ctx, cancel := database.WithBudget(requestlog.Start(ctx))
	defer cancel()
	entry := requestlog.Entry{Kind: requestlog.Request, RequestID: requestID(ctx, &e)}
	response := h.respond(ctx, &e, &entry)
	out, err := response.Render(entry.RequestID)
	if err != nil {
		entry.Err = fmt.Errorf("encode the response: %w", err)
		response = failure(entry.Err, e.HTTPMethod)
		out, err = response.Render(entry.RequestID)
	}
	entry.Status, entry.Code, entry.Findings, entry.Revealed = response.Status, response.Code, response.Findings, response.Revealed
	entry.Created = entry.Operation == string(CreateDatabase) && response.Status == http.StatusCreated
	entry.Write(ctx, h.Log, h.Namespace)
	return out, err
}

// respond authenticates the caller before it looks at anything else.
func (h *Handler) respond(ctx context.Context, e *events.APIGatewayProxyRequest, entry *requestlog.Entry) Response {
	route, params, methods := h.match(e)
	if route.Path != "" {
		entry.Route, entry.Operation = route.Method+" "+route.Path, string(route.Operation)
	}
	who, ok := callerOf(e, h.Now())
	if !ok && !route.Public {
		return problem(http.StatusUnauthorized, "no API key, or an unknown or expired one: send it as Authorization: Bearer hg_...")
	}
	entry.Account, entry.KeyID = who.account, who.keyID
	ctx = database.WithOrigin(ctx, database.Origin{RequestID: entry.RequestID, KeyID: who.keyID})
	if len(methods) > 0 {
		return methodNotAllowed(e.HTTPMethod, methods)
	}
	endpoint := h.Endpoints[route.Operation]
	if endpoint == nil {
		return problem(http.StatusNotFound, "there is no such route")
	}
	if refusal := rejectScope(who, route, e); refusal != nil {
		return *refusal
	}
	body, refusal := readBody(route, e)
	if refusal != nil {
		return *refusal
	}
	if err := rejectBody(route, body); err != nil {
		return failure(err, e.HTTPMethod)
	}
	r := &Request{Account: who.account, Path: ownPath(e), Params: params, Body: body, event: e, faults: apierror.FieldErrors{}}
	r.rejectUnknownQuery(route)
	response, err := h.call(ctx, route, endpoint, r)
	if err != nil {
		response = failure(err, e.HTTPMethod)
	}
	if response.Status >= http.StatusInternalServerError {
		entry.Err = err
	}
	return response
}

// call runs the endpoint. If the route takes query parameters, the endpoint reports
// the unknown ones together with what else is wrong with the request. A panic
// becomes an error without its value, which may hold a secret.
func (h *Handler) call(ctx context.Context, route Route, endpoint Endpoint, r *Request) (response Response, err error) {
	if len(route.Query) == 0 && len(r.faults) > 0 {
		return Response{}, r.faults.AsError()
	}
	defer func() {
		if p := recover(); p != nil {
			h.Log.ErrorContext(ctx, "panic", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic with a %T", p)
		}
	}()
	return endpoint(ctx, r)
}

// methodNotAllowed returns the 405 of a path that has other methods.
func methodNotAllowed(method string, methods []string) Response {
	allow := strings.Join(methods, ", ")
	r := problem(http.StatusMethodNotAllowed, "this path does not take "+strictjson.Bounded(method)+", only "+allow)
	r.allow = allow
	return r
}

// ownPath returns the path as the caller sent it, without a trailing slash. Only
// the request's context has it with the stage.
func ownPath(e *events.APIGatewayProxyRequest) string {
	path := e.RequestContext.Path
	if path == "" {
		path = e.Path
	}
	return strings.TrimSuffix(path, "/")
}

// requestID returns the gateway's ID of the request, which its access log has too.
func requestID(ctx context.Context, e *events.APIGatewayProxyRequest) string {
	if e.RequestContext.RequestID != "" {
		return e.RequestContext.RequestID
	}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return "unknown"
}
