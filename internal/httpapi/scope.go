package httpapi

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/apikey"
)

// rejectScope returns the 403 of a caller whose key lacks a scope that the request
// needs, and nil if it has them all.
func rejectScope(who caller, route Route, e *events.APIGatewayProxyRequest) *Response {
	if route.Public {
		return nil
	}
	if !who.scopes.Has(route.Scope) {
		return forbidden(route.Scope, "this request")
	}
	if asksForPasswords(e) && !who.scopes.Has(apikey.Reveal) {
		return forbidden(apikey.Reveal, showSensitive+"=true")
	}
	return nil
}

func forbidden(scope apikey.Scope, needs string) *Response {
	r := problem(http.StatusForbidden, fmt.Sprintf("the API key lacks the scope %q, which %s needs", scope, needs))
	return &r
}

const showSensitive = "show_sensitive"

// asksForPasswords reports whether one of the values of show_sensitive is true. A
// request with several is refused later.
func asksForPasswords(e *events.APIGatewayProxyRequest) bool {
	return e.QueryStringParameters[showSensitive] == "true" ||
		slices.Contains(e.MultiValueQueryStringParameters[showSensitive], "true")
}
