// Package devserver serves the API with net/http, without AWS, for development.
package devserver

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/apikey"
	"github.com/headgate/headgate/internal/httpapi"
)

// Account is the account of the development server's only key.
const Account = "local"

// Handler translates requests into API Gateway's events, and the responses back.
// In place of the authorizer, it accepts one key.
type Handler struct {
	API *httpapi.Handler
	Key apikey.Text
	Log *slog.Logger
}

// ServeHTTP answers one request. A body that ends early or does not arrive in time
// never reaches the API.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// With one byte over its limit, the API can tell that a body is too large.
	body, err := io.ReadAll(io.LimitReader(r.Body, httpapi.MaxBody+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		refuse(w, r, h.Log, http.StatusRequestTimeout, "the body did not arrive in time")
		return
	case err != nil:
		refuse(w, r, h.Log, http.StatusBadRequest, "the body ended before its announced end")
		return
	}
	e := h.event(r, body)
	answer, err := h.answer(r, e)
	if err != nil {
		id := e.RequestContext.RequestID
		h.Log.ErrorContext(r.Context(), "request without a response", "request_id", id, "error", err)
		writeSummary(w, id, http.StatusInternalServerError, "the response could not be made; the log has the reason")
		return
	}
	for name, value := range answer.Headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(answer.StatusCode)
	if _, err := io.WriteString(w, answer.Body); err != nil {
		h.Log.WarnContext(r.Context(), "response cut short", "error", err)
	}
}

// answer returns the page for people or what the API answers.
func (h *Handler) answer(r *http.Request, e events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
	if isPage(r) {
		return page().Render(e.RequestContext.RequestID)
	}
	return h.API.Handle(r.Context(), e)
}

func (h *Handler) event(r *http.Request, body []byte) events.APIGatewayProxyRequest {
	e := events.APIGatewayProxyRequest{
		HTTPMethod: r.Method, Path: r.URL.EscapedPath(),
		Headers: map[string]string{}, MultiValueHeaders: r.Header,
		QueryStringParameters: map[string]string{}, MultiValueQueryStringParameters: httpapi.ParseQuery(r.URL.RawQuery),
		Body: base64.StdEncoding.EncodeToString(body), IsBase64Encoded: true,
	}
	for name := range r.Header {
		e.Headers[name] = r.Header.Get(name)
	}
	for name, values := range e.MultiValueQueryStringParameters {
		e.QueryStringParameters[name] = values[len(values)-1]
	}
	e.RequestContext.RequestID = uuid.NewString()
	e.RequestContext.DomainName, e.RequestContext.Path = r.Host, e.Path
	if h.authorized(r) {
		e.RequestContext.Authorizer = map[string]any{"account_id": Account, "scopes": apikey.AllScopes().String()}
	}
	return e
}

func (h *Handler) authorized(r *http.Request) bool {
	key := apikey.FromHeader(r.Header.Get("Authorization"))
	return subtle.ConstantTimeCompare([]byte(key.Reveal()), []byte(h.Key.Reveal())) == 1
}
