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

// Response is what an endpoint answers.
type Response struct {
	Status int
	Body   any
	// Location is the path of what was made, where something was.
	Location string
	// Revealed are the IDs of the databases whose passwords are in the body.
	Revealed []string
}

// problem is an answer that says only what is wrong.
type problem struct {
	status  int
	summary string
}

type summaryBody struct {
	Summary string     `json:"summary"`
	Code    check.Code `json:"code,omitempty"`
}

// Render is r as API Gateway takes it. Every response carries the request's ID
// and is not to be kept by anybody.
func (r Response) Render(requestID string) (events.APIGatewayProxyResponse, error) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r.Body); err != nil {
		return events.APIGatewayProxyResponse{}, err
	}
	headers := map[string]string{
		"Content-Type":  "application/json",
		"Cache-Control": "no-store",
		"X-Request-Id":  requestID,
	}
	if r.Location != "" {
		headers["Location"] = r.Location
	}
	return events.APIGatewayProxyResponse{StatusCode: r.Status, Headers: headers, Body: strings.TrimSuffix(body.String(), "\n")}, nil
}

// failure maps an error to its answer: the one place that knows which kind of
// error is which status.
func failure(err error) Response {
	e, ok := errors.AsType[*apierror.Error](err)
	if !ok {
		e = &apierror.Error{}
	}
	simple := func(status int, summary string) Response {
		return Response{Status: status, Body: summaryBody{Summary: summary}}
	}
	switch e.Kind {
	case apierror.Malformed:
		return simple(http.StatusBadRequest, e.Summary)
	case apierror.Invalid:
		return Response{Status: http.StatusUnprocessableEntity, Body: e.Refusal()}
	case apierror.NotFound:
		return simple(http.StatusNotFound, "there is no such database")
	case apierror.Conflict:
		return Response{Status: http.StatusConflict, Body: summaryBody{Summary: e.Summary, Code: e.Code}}
	case apierror.Throttled:
		return simple(http.StatusTooManyRequests, "too many requests for now: no database was kept, try again later")
	case apierror.Unavailable:
		return simple(http.StatusServiceUnavailable, "a store is unavailable for now: no database was kept, try again later")
	case apierror.UnknownOutcome:
		return simple(http.StatusGatewayTimeout,
			"the store did not answer in time; whether the database was kept is unknown, and a retry with the same Idempotency-Key settles it")
	}
	return simple(http.StatusInternalServerError, "something went wrong here; the log has it under the request's ID")
}

// extraHeaders are those that a status brings with it.
func extraHeaders(status int) map[string]string {
	switch status {
	case http.StatusUnauthorized:
		return map[string]string{"WWW-Authenticate": "Bearer"}
	case http.StatusTooManyRequests:
		return map[string]string{"Retry-After": "1"}
	case http.StatusServiceUnavailable:
		return map[string]string{"Retry-After": "5"}
	}
	return nil
}
