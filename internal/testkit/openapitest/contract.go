// Package openapitest holds what the API is asked and what it answers against
// the OpenAPI document, for tests.
package openapitest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/headgate/headgate/internal/httpapi"
)

// Request is what was asked. Path is escaped, as it is sent; what a deployment
// puts before /api does not matter.
type Request struct {
	Method string
	Path   string
	Query  url.Values
	Header http.Header
	Body   []byte
}

// Response is what was answered.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Contract is the document. It is safe for concurrent use; making one takes a
// while, so that a suite does well to make it once.
type Contract struct{ document *openapi3.T }

// New reads the document, which must be good OpenAPI 3.1, its examples included.
func New() (*Contract, error) {
	document, err := openapi3.NewLoader().LoadFromData([]byte(httpapi.OpenAPI()))
	if err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	if err := document.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("the document is not OpenAPI 3.1: %w", err)
	}
	return &Contract{document}, nil
}

// Validate fails the test where the exchange is not the contract's.
func (c *Contract) Validate(tb testing.TB, request Request, response Response) {
	tb.Helper()
	if err := c.Check(request, response); err != nil {
		tb.Errorf("the OpenAPI document does not allow %s %s answered with %d: %v", request.Method, request.Path, response.Status, err)
	}
}

// Check tells what of an exchange is not the contract's. The request is looked
// at only where the answer is a success: what is wrong with another is what the
// answer says.
func (c *Contract) Check(request Request, response Response) error {
	err := c.CheckResponse(request, response)
	if response.Status >= http.StatusOK && response.Status < http.StatusMultipleChoices {
		err = errors.Join(err, c.CheckRequest(request))
	}
	return err
}

// CheckRequest tells what of a request the document does not allow.
func (c *Contract) CheckRequest(request Request) error {
	route, known := c.find(request)
	if known != routed {
		return errors.New("the document has no such operation")
	}
	input, err := request.input(route)
	if err != nil {
		return err
	}
	return openapi3filter.ValidateRequest(context.Background(), input)
}

// CheckResponse tells what of a response the document does not allow as the
// answer to a request: its status, a header too few or too many, its type, its
// body.
func (c *Contract) CheckResponse(request Request, response Response) error {
	route, known := c.find(request)
	if known != routed {
		route.Operation = c.unrouted(known)
	}
	declared := route.Operation.Responses.Status(response.Status)
	if declared == nil {
		return fmt.Errorf("the document does not have the status %d here", response.Status)
	}
	return errors.Join(compare(route, request, response), undeclared(declared.Value, response.Header))
}

// unrouted has the answers to what no operation is there for, which the document
// has among its components.
func (c *Contract) unrouted(known knowledge) *openapi3.Operation {
	names := map[int]string{
		http.StatusUnauthorized: "Unauthorized", http.StatusTooManyRequests: "Throttled", http.StatusInternalServerError: "Defect",
		http.StatusServiceUnavailable: "Unavailable", http.StatusGatewayTimeout: "Timeout",
		http.StatusNotFound: "RouteNotFound",
	}
	if known == otherMethod {
		delete(names, http.StatusNotFound)
		names[http.StatusMethodNotAllowed] = "MethodNotAllowed"
	}
	operation := openapi3.NewOperation()
	operation.Responses = openapi3.NewResponsesWithCapacity(len(names))
	for status, name := range names {
		operation.Responses.Set(fmt.Sprint(status), c.document.Components.Responses[name])
	}
	return operation
}

// knowledge is what the document knows of a request's path and method.
type knowledge int

const (
	unknownPath knowledge = iota
	otherMethod
	routed
)

// find is where a request leads; the route has an operation only if it is routed.
func (c *Contract) find(request Request) (*routers.Route, knowledge) {
	route := &routers.Route{Spec: c.document, Method: request.Method}
	for _, template := range slices.Sorted(maps.Keys(c.document.Paths.Map())) {
		if !matches(template, request.path()) {
			continue
		}
		route.Path, route.PathItem = template, c.document.Paths.Value(template)
		if route.Operation = route.PathItem.Operations()[request.Method]; route.Operation != nil {
			return route, routed
		}
		return route, otherMethod
	}
	return route, unknownPath
}

// matches tells whether a path is of a template. The document's templates do not
// overlap.
func matches(template, path string) bool {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return false
	}
	for i, w := range want {
		if parameter := strings.HasPrefix(w, "{"); parameter && have[i] == "" || !parameter && w != have[i] {
			return false
		}
	}
	return true
}
