// Package openapitest validates the API's requests and responses against the
// OpenAPI document, for tests.
package openapitest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/headgate/headgate/internal/httpapi"
)

// Request is a request to the API. Path is escaped, as it is sent; what precedes
// /api in it does not matter.
type Request struct {
	Method string
	Path   string
	Query  url.Values
	Header http.Header
	Body   []byte
}

// Response is the API's response.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Contract is the OpenAPI document. It is safe for concurrent use. Making one is
// slow, so a suite should make it once.
type Contract struct {
	document *openapi3.T
	router   routers.Router
}

// New reads the document. It returns an error if the document or one of its
// examples is not valid OpenAPI 3.1.
func New() (*Contract, error) {
	document, err := openapi3.NewLoader().LoadFromData(httpapi.OpenAPI())
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	if err := document.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("validate the document: %w", err)
	}
	document.Servers = nil // so that paths match on every server
	router, err := gorillamux.NewRouter(document)
	if err != nil {
		return nil, fmt.Errorf("route the document: %w", err)
	}
	return &Contract{document, router}, nil
}

// Validate fails the test if the exchange violates the contract.
func (c *Contract) Validate(tb testing.TB, request Request, response Response) {
	tb.Helper()
	if err := c.Check(request, response); err != nil {
		tb.Errorf("the OpenAPI document does not allow %s %s with the response %d: %v", request.Method, request.Path, response.Status, err)
	}
}

// Check returns how an exchange violates the contract. It looks at the request
// only if the response is a success: an error response is about a request that may
// be invalid.
func (c *Contract) Check(request Request, response Response) error {
	err := c.CheckResponse(request, response)
	if response.Status >= http.StatusOK && response.Status < http.StatusMultipleChoices {
		err = errors.Join(err, c.CheckRequest(request))
	}
	return err
}

// CheckRequest returns how a request violates the contract.
func (c *Contract) CheckRequest(request Request) error {
	input, err := c.input(request)
	if err != nil {
		return err
	}
	return openapi3filter.ValidateRequest(context.Background(), input)
}

// CheckResponse returns how the response to a request violates the contract: by
// its status, a missing or unknown header, its content type, or its body.
func (c *Contract) CheckResponse(request Request, response Response) error {
	input, err := c.input(request)
	switch {
	case errors.Is(err, routers.ErrPathNotFound):
		input.Route = c.unrouted(request.Method, http.StatusNotFound, "RouteNotFound")
	case errors.Is(err, routers.ErrMethodNotAllowed):
		input.Route = c.unrouted(request.Method, http.StatusMethodNotAllowed, "MethodNotAllowed")
	case err != nil:
		return err
	}
	declared := input.Route.Operation.Responses.Status(response.Status)
	if declared == nil {
		return fmt.Errorf("the document does not have the status %d here", response.Status)
	}
	return errors.Join(compare(input, response), undeclared(declared.Value, response.Header))
}

// unrouted returns the route of requests that no operation answers. Their
// responses are in the document's components.
func (c *Contract) unrouted(method string, status int, name string) *routers.Route {
	operation := openapi3.NewOperation()
	operation.Responses = openapi3.NewResponsesWithCapacity(0)
	for status, name := range map[int]string{
		status:                         name,
		http.StatusUnauthorized:        "Unauthorized",
		http.StatusTooManyRequests:     "Throttled",
		http.StatusInternalServerError: "Defect",
		http.StatusServiceUnavailable:  "Unavailable",
		http.StatusGatewayTimeout:      "Timeout",
	} {
		operation.Responses.Set(fmt.Sprint(status), c.document.Components.Responses[name])
	}
	return &routers.Route{Spec: c.document, Method: method, Operation: operation}
}
