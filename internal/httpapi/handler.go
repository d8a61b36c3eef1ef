// Package httpapi is the HTTP contract on API Gateway's REST proxy events:
// routes, the authorizer's context, statuses and JSON.
package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/headgate/headgate/internal/requestlog"
)

// Budget is how long a request may take. The gateway's own limit is 29 s.
const Budget = 26 * time.Second

// margin is what is left of a function's time to answer in.
const margin = 500 * time.Millisecond

// Endpoint answers the requests of one operation.
type Endpoint func(context.Context, *Request) (Response, error)

// Handler answers API Gateway's events with the endpoints it has. A route that
// it has none for is answered 404, as is an unknown path; a known path with
// another method 405.
type Handler struct {
	Endpoints map[Operation]Endpoint
	Log       *slog.Logger
	// Now is the clock that keys expire by.
	Now func() time.Time
	// Metrics makes the log's lines carry metrics, in CloudWatch's embedded
	// format.
	Metrics bool
}

// Serve is the handler of a function that does one operation.
func Serve(log *slog.Logger, o Operation, e Endpoint) func(context.Context, events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
	return (&Handler{Endpoints: map[Operation]Endpoint{o: e}, Log: log, Now: time.Now, Metrics: true}).Handle
}

// Handle answers one event, within Budget. It returns an error only where no
// answer can be made.
func (h *Handler) Handle(ctx context.Context, e events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
	began := time.Now()
	ctx, cancel := withBudget(requestlog.CountRetries(ctx), began)
	defer cancel()
	route, params, known := match(&e)
	entry := logEntry{route: route, began: began}
	response, extra := h.answer(ctx, &e, route, params, known, &entry)
	out, err := response.Render(requestID(ctx, &e))
	if err != nil {
		return out, fmt.Errorf("encoding the answer: %w", err)
	}
	maps.Copy(out.Headers, extraHeaders(response.Status))
	maps.Copy(out.Headers, extra)
	entry.write(ctx, h, response)
	return out, nil
}

// answer decides what an event gets: who asks comes before what is asked.
func (h *Handler) answer(ctx context.Context, e *events.APIGatewayProxyRequest, route Route,
	params map[string]string, known []string, entry *logEntry,
) (Response, map[string]string) {
	account, ok := account(e, h.Now())
	if !ok && !route.Public {
		return refuse(problem{http.StatusUnauthorized, "no API key, or an unknown or expired one: send it as Authorization: Bearer hg_..."}), nil
	}
	entry.account = account
	if len(known) > 0 {
		allow := strings.Join(known, ", ")
		return refuse(problem{http.StatusMethodNotAllowed, "this path does not take " + bounded(e.HTTPMethod) + ", only " + allow}),
			map[string]string{"Allow": allow}
	}
	endpoint := h.Endpoints[route.Operation]
	if endpoint == nil {
		return refuse(problem{http.StatusNotFound, "there is no such route"}), nil
	}
	body, wrong := readBody(e)
	if wrong != nil {
		return refuse(*wrong), nil
	}
	return h.call(ctx, endpoint, &Request{Account: account, Path: ownPath(e), Params: params, Body: body, event: e}, entry), nil
}

// call runs the endpoint. A panic is a defect of ours, and answered as one: its
// value is not logged, since it may hold what was being worked on.
func (h *Handler) call(ctx context.Context, endpoint Endpoint, r *Request, entry *logEntry) (response Response) {
	defer func() {
		if p := recover(); p != nil {
			h.Log.ErrorContext(ctx, "panic", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			response = failure(nil)
		}
	}()
	response, err := endpoint(ctx, r)
	if err != nil {
		entry.err = err
		return failure(err)
	}
	return response
}

func refuse(p problem) Response {
	return Response{Status: p.status, Body: summaryBody{Summary: p.summary}}
}

// bounded is s, cut where it is too long to repeat.
func bounded(s string) string {
	const most = 16
	return s[:min(len(s), most)]
}

// ownPath is the path as the caller sent it: with the stage, which only the
// request's context has.
func ownPath(e *events.APIGatewayProxyRequest) string {
	if e.RequestContext.Path != "" {
		return e.RequestContext.Path
	}
	return e.Path
}

func requestID(ctx context.Context, e *events.APIGatewayProxyRequest) string {
	if e.RequestContext.RequestID != "" {
		return e.RequestContext.RequestID
	}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return "unknown"
}

func withBudget(ctx context.Context, began time.Time) (context.Context, context.CancelFunc) {
	deadline := began.Add(Budget)
	if d, ok := ctx.Deadline(); ok && d.Add(-margin).Before(deadline) {
		deadline = d.Add(-margin)
	}
	return context.WithDeadline(ctx, deadline)
}
