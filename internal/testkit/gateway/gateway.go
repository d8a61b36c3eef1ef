// Package gateway converts HTTP requests to the events that API Gateway sends to
// headgate's functions.
package gateway

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/httpapi"
)

const (
	// Collection is the path of all databases.
	Collection = "/api/postgres_databases"
	// Stage is the stage that the event's request context has before the path.
	Stage = "/v1"
	// RequestID is the ID of every request.
	RequestID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
	// notFound is the function behind /{proxy+}.
	notFound = "not-found"
)

// Request is a request that the authorizer has let in.
type Request struct {
	// Account is the account of the API key, which has all scopes unless Authorizer
	// has others.
	Account string
	// Authorizer is the authorizer's context. If it is nil, it has the account only, as
	// that of an authorizer without scopes.
	Authorizer map[string]any
	Method     string
	// Target is the path and the query.
	Target string
	// Header is optional. A body is sent with the content type application/json
	// unless Header has another one.
	Header map[string]string
	Body   []byte
}

// Event returns the event for a request and the name of the function that
// template.yaml routes it to.
func Event(r Request) (function string, e events.APIGatewayProxyRequest, err error) {
	target, err := url.Parse(r.Target)
	if err != nil {
		return "", e, err
	}
	function, resource, parameters := route(r.Method, target.Path)
	e = events.APIGatewayProxyRequest{
		Resource: resource, Path: target.Path, HTTPMethod: r.Method, PathParameters: parameters,
		MultiValueQueryStringParameters: httpapi.ParseQuery(target.RawQuery), Headers: map[string]string{}, Body: string(r.Body),
	}
	if len(r.Body) > 0 {
		e.Headers["content-type"] = "application/json"
	}
	for name, value := range r.Header {
		e.Headers[strings.ToLower(name)] = value
	}
	e.RequestContext.RequestID, e.RequestContext.Path = RequestID, Stage+target.Path
	if e.RequestContext.Authorizer = r.Authorizer; r.Authorizer == nil {
		e.RequestContext.Authorizer = map[string]any{"account_id": r.Account}
	}
	return function, e, nil
}

// Header returns the header of a function's response.
func Header(response events.APIGatewayProxyResponse) http.Header {
	header := http.Header{}
	for name, value := range response.Headers {
		header.Set(name, value)
	}
	return header
}

// route ignores a trailing slash, as API Gateway does: /x/ leads to the resource /x,
// and only the event's path keeps the slash.
func route(method, path string) (function, resource string, parameters map[string]string) {
	path = strings.TrimSuffix(path, "/")
	for _, r := range httpapi.Routes() {
		if parameters, ok := match(r.Path, path); ok && r.Method == method {
			return r.Operation.Function(), r.Path, parameters
		}
	}
	for _, r := range httpapi.Pages() { // the function has all methods
		if parameters, ok := match(r.Path, path); ok {
			return r.Operation.Function(), r.Path, parameters
		}
	}
	return notFound, "/{proxy+}", map[string]string{"proxy": strings.TrimPrefix(path, "/")}
}

// match returns the values of a pattern's parameters, which are segments in
// braces.
func match(pattern, path string) (map[string]string, bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return nil, false
	}
	parameters := map[string]string{}
	for i, segment := range want {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			parameters[strings.TrimSuffix(name, "}")] = have[i]
		} else if segment != have[i] {
			return nil, false
		}
	}
	return parameters, true
}
