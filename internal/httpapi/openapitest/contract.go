// Package openapitest holds what the API is asked and what it answers against
// the OpenAPI document, for tests.
package openapitest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

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
type Contract struct {
	model     *v3.Document
	validator validator.Validator
	options   *config.ValidationOptions
}

// New reads the document, which must be OpenAPI 3.1 by its own schema.
func New() (*Contract, error) {
	document, err := libopenapi.NewDocument([]byte(httpapi.OpenAPI()))
	if err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	model, err := document.BuildV3Model()
	if err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	// Who asks is told by the authorizer, and not by what a function gets to see.
	v, errs := validator.NewValidator(document, config.WithFormatAssertions(), config.WithoutSecurityValidation())
	if len(errs) > 0 {
		return nil, fmt.Errorf("compiling the document: %w", errors.Join(errs...))
	}
	if ok, faults := v.ValidateDocument(); !ok {
		return nil, fmt.Errorf("the document is not OpenAPI 3.1: %w", explain(faults))
	}
	options := config.NewValidationOptions(config.WithFormatAssertions())
	return &Contract{model: &model.Model, validator: v, options: options}, nil
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
	if _, known := c.find(request); known != routed {
		return errors.New("the document has no such operation")
	}
	r, err := request.http()
	if err != nil {
		return err
	}
	if _, faults := c.validator.ValidateHttpRequestSync(r); len(faults) > 0 {
		return fmt.Errorf("the request: %w", explain(faults))
	}
	return nil
}

// CheckResponse tells what of a response the document does not allow as the
// answer to a request: its status, a header too few or too many, its type, its
// body.
func (c *Contract) CheckResponse(request Request, response Response) error {
	declared := c.declared(request, response.Status)
	if declared == nil {
		return fmt.Errorf("the document does not have the status %d here", response.Status)
	}
	return c.compare(declared, request, response)
}

// declared is what the document has for a status. What no operation is there
// for has its answers among the components.
func (c *Contract) declared(request Request, status int) *v3.Response {
	operation, known := c.find(request)
	if known == routed {
		return operation.Responses.Codes.GetOrZero(strconv.Itoa(status))
	}
	name := ""
	switch status {
	case http.StatusUnauthorized:
		name = "Unauthorized"
	case http.StatusNotFound:
		if known == unknownPath {
			name = "RouteNotFound"
		}
	case http.StatusMethodNotAllowed:
		if known == otherMethod {
			name = "MethodNotAllowed"
		}
	case http.StatusTooManyRequests:
		name = "Throttled"
	case http.StatusInternalServerError:
		name = "Defect"
	case http.StatusServiceUnavailable:
		name = "Unavailable"
	case http.StatusGatewayTimeout:
		name = "Timeout"
	}
	return c.model.Components.Responses.GetOrZero(name)
}

// knowledge is what the document knows of a request's path and method.
type knowledge int

const (
	unknownPath knowledge = iota
	otherMethod
	routed
)

func (c *Contract) find(request Request) (*v3.Operation, knowledge) {
	for template, item := range c.model.Paths.PathItems.FromOldest() {
		if !matches(template, request.path()) {
			continue
		}
		if operation := item.GetOperations().GetOrZero(strings.ToLower(request.Method)); operation != nil {
			return operation, routed
		}
		return nil, otherMethod
	}
	return nil, unknownPath
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
