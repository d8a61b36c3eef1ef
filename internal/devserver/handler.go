// Package devserver is net/http in front of the HTTP contract: the API without
// AWS, for development.
package devserver

import (
	"crypto/subtle"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/apikey"
	"github.com/headgate/headgate/internal/httpapi"
)

// Account is the account that the development server's one key belongs to.
const Account = "local"

// Handler turns requests into the gateway's events and the answers back. In
// the authorizer's place it lets in whoever has the one key.
type Handler struct {
	API *httpapi.Handler
	Key apikey.Text
	Log *slog.Logger
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// One byte more than a body may have lets the API see that it is too large.
	body, err := io.ReadAll(io.LimitReader(r.Body, httpapi.MaxBody+1))
	if err != nil {
		h.Log.WarnContext(r.Context(), "a request's body broke off", "error", err)
		return
	}
	answer, err := h.API.Handle(r.Context(), h.event(r, body))
	if err != nil {
		h.Log.ErrorContext(r.Context(), "no answer", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	for name, value := range answer.Headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(answer.StatusCode)
	if _, err := io.WriteString(w, answer.Body); err != nil {
		h.Log.WarnContext(r.Context(), "an answer broke off", "error", err)
	}
}

func (h *Handler) event(r *http.Request, body []byte) events.APIGatewayProxyRequest {
	e := events.APIGatewayProxyRequest{
		HTTPMethod: r.Method, Path: r.URL.EscapedPath(),
		Headers: map[string]string{}, MultiValueHeaders: r.Header,
		QueryStringParameters: map[string]string{}, MultiValueQueryStringParameters: r.URL.Query(),
		Body: base64.StdEncoding.EncodeToString(body), IsBase64Encoded: true,
	}
	for name := range r.Header {
		e.Headers[name] = r.Header.Get(name)
	}
	for name, values := range e.MultiValueQueryStringParameters {
		e.QueryStringParameters[name] = values[len(values)-1]
	}
	e.RequestContext.RequestID = uuid.NewString()
	e.RequestContext.Path = e.Path
	if h.letIn(r) {
		e.RequestContext.Authorizer = map[string]any{"account_id": Account}
	}
	return e
}

func (h *Handler) letIn(r *http.Request) bool {
	key := apikey.FromHeader(r.Header.Get("Authorization"))
	return subtle.ConstantTimeCompare([]byte(key.Reveal()), []byte(h.Key.Reveal())) == 1
}
