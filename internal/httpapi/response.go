package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
)

// Response is what an endpoint returns.
type Response struct {
	Status int
	Body   any
	// Location is the path of the database that was created.
	Location string

	// What the log line says of the response: the code of the error, the codes of
	// the findings, and the IDs of the databases whose passwords are in the body.
	Code     check.Code
	Findings []check.Code
	Revealed []string

	allow string // the header
}

type summaryBody struct {
	Summary string     `json:"summary"`
	Code    check.Code `json:"code,omitempty"`
}

// problem returns an error response that has only a summary.
func problem(status int, summary string) Response {
	return Response{Status: status, Body: summaryBody{Summary: apierror.Shown(summary)}}
}

// Render returns r as API Gateway takes it.
func (r Response) Render(requestID string) (events.APIGatewayProxyResponse, error) {
	if page, ok := r.Body.(Page); ok {
		return events.APIGatewayProxyResponse{StatusCode: r.Status, Headers: r.headers(requestID), Body: page.html()}, nil
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r.Body); err != nil {
		return events.APIGatewayProxyResponse{}, err
	}
	return events.APIGatewayProxyResponse{
		StatusCode: r.Status, Headers: r.headers(requestID), Body: strings.TrimSuffix(body.String(), "\n"),
	}, nil
}

func (r Response) headers(requestID string) map[string]string {
	headers := map[string]string{
		"Content-Type":  "application/json",
		"Cache-Control": "no-store",
		"X-Request-Id":  requestID,
	}
	if page, ok := r.Body.(Page); ok {
		headers["Content-Type"] = "text/html; charset=utf-8"
		headers["Content-Security-Policy"] = page.policy()
		headers["X-Content-Type-Options"] = "nosniff"
		headers["Referrer-Policy"] = "no-referrer"
	}
	if r.Location != "" {
		headers["Location"] = r.Location
	}
	if r.allow != "" {
		headers["Allow"] = r.allow
	}
	switch r.Status {
	case http.StatusUnauthorized:
		headers["WWW-Authenticate"] = "Bearer"
	case http.StatusTooManyRequests:
		headers["Retry-After"] = "1"
	case http.StatusServiceUnavailable:
		headers["Retry-After"] = "5"
	}
	return headers
}

// failure returns the response for an error. It is the one place where a kind of
// error becomes a status.
func failure(err error, method string) Response {
	e, ok := errors.AsType[*apierror.Error](err)
	if !ok {
		e = &apierror.Error{}
	}
	switch e.Kind {
	case apierror.Malformed:
		return problem(http.StatusBadRequest, e.Summary)
	case apierror.Invalid:
		return Response{Status: http.StatusUnprocessableEntity, Body: e.Refusal(), Code: e.Code, Findings: e.Checks.Codes()}
	case apierror.NotFound:
		return problem(http.StatusNotFound, apierror.NoDatabase)
	case apierror.Conflict:
		return Response{Status: http.StatusConflict, Body: summaryBody{Summary: e.Summary, Code: e.Code}, Code: e.Code}
	case apierror.Throttled:
		return problem(http.StatusTooManyRequests, "too many requests at the moment: nothing was changed, try again later")
	case apierror.Unavailable:
		return problem(http.StatusServiceUnavailable, "a store is unavailable at the moment: nothing was changed, try again later")
	case apierror.UnknownOutcome:
		return problem(http.StatusGatewayTimeout, unknownOutcome(method))
	}
	return problem(http.StatusInternalServerError, "something went wrong on this side: the log has it under the request's ID")
}

// unknownOutcome says what a caller can do after a request with that method timed
// out.
func unknownOutcome(method string) string {
	const timeout = "the store did not answer in time: "
	switch method {
	case http.MethodGet:
		return timeout + "try again later"
	case http.MethodPost:
		return timeout + "whether the database was registered is unknown; a retry with the same Idempotency-Key settles it"
	}
	return timeout + "whether the database was changed is unknown; read it before you try again"
}
