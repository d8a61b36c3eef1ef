package openapitest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// jsonType is the one type of the API's bodies.
const jsonType = "application/json"

// input is the request as the validator takes it. Who asks is told by the
// authorizer, and not by what a function gets to see.
func (r Request) input(route *routers.Route) (*openapi3filter.RequestValidationInput, error) {
	asked, err := r.http()
	if err != nil {
		return nil, err
	}
	return &openapi3filter.RequestValidationInput{
		Request: asked, Route: route, PathParams: parameters(route.Path, asked.URL.Path),
		Options: &openapi3filter.Options{
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, MultiError: true, SkipSettingDefaults: true,
		},
	}, nil
}

// parameters are those of a path that a template matches.
func parameters(template, path string) map[string]string {
	found := map[string]string{}
	have := strings.Split(path, "/")
	for i, w := range strings.Split(template, "/") {
		if name, ok := strings.CutPrefix(w, "{"); ok && i < len(have) {
			found[strings.TrimSuffix(name, "}")] = have[i]
		}
	}
	return found
}

// compare tells what of a response is not as the route's operation has it.
func compare(route *routers.Route, request Request, response Response) error {
	options := &openapi3filter.Options{MultiError: true, IncludeResponseStatus: true}
	if request.Method == http.MethodHead {
		// An answer to HEAD has no body, whatever its type. The validator would look
		// at nothing of it.
		request.Method, options.ExcludeResponseBody = http.MethodGet, true
	}
	asked, err := request.input(route)
	if err != nil {
		return err
	}
	answer := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: asked, Status: response.Status, Header: response.Header, Options: options,
	}
	return openapi3filter.ValidateResponse(context.Background(), answer.SetBodyBytes(response.Body))
}

// undeclared tells of headers that the document does not have, and of another
// type than JSON. A server adds some headers by itself.
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
