package openapitest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// jsonType is the content type of all bodies of the API.
const jsonType = "application/json"

// input returns a request as the validator takes it. The error is that of the
// router if the document has no such operation; then the input has no route.
// Authentication is the authorizer's, so the validator does not look at it.
func (c *Contract) input(r Request) (*openapi3filter.RequestValidationInput, error) {
	request, err := r.http()
	if err != nil {
		return nil, err
	}
	route, parameters, err := c.router.FindRoute(request)
	return &openapi3filter.RequestValidationInput{
		Request: request, Route: route, PathParams: parameters,
		Options: &openapi3filter.Options{
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, MultiError: true, SkipSettingDefaults: true,
		},
	}, err
}

// compare returns how a response differs from those of its operation.
func compare(input *openapi3filter.RequestValidationInput, response Response) error {
	options := &openapi3filter.Options{MultiError: true, IncludeResponseStatus: true}
	if input.Request.Method == http.MethodHead {
		// A response to HEAD has no body, and the validator would skip its headers too.
		input.Request.Method, options.ExcludeResponseBody = http.MethodGet, true
	}
	output := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: response.Status, Header: response.Header, Options: options,
	}
	return openapi3filter.ValidateResponse(context.Background(), output.SetBodyBytes(response.Body))
}

// undeclared returns an error for headers that the document does not have, except
// those that a server adds by itself, and for a content type other than JSON.
func undeclared(declared *openapi3.Response, header http.Header) error {
	var err error
	if t := header.Get("Content-Type"); t != jsonType {
		err = fmt.Errorf("the Content-Type is %q", t)
	}
	known := []string{"Content-Type", "Content-Length", "Date", "Connection", "Transfer-Encoding"}
	for name := range declared.Headers {
		known = append(known, http.CanonicalHeaderKey(name))
	}
	for name := range header {
		if !slices.Contains(known, http.CanonicalHeaderKey(name)) {
			err = errors.Join(err, fmt.Errorf("the document does not have the header %s", name))
		}
	}
	return err
}
