package httpapi

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// document is made from openapi.yaml by `make openapi`.
//
//go:embed openapi.json
var document []byte

// documentServer is the server's URL in document, as JSON. A test holds that the
// document has it once.
const documentServer = `"http://127.0.0.1:8080"`

// OpenAPI returns the HTTP contract as an OpenAPI 3.1 document in JSON. Programs
// that call neither this nor [Describe] are linked without the document.
func OpenAPI() []byte { return document }

// Describe returns the endpoint of GET /api/openapi.json: 200 with the document,
// in which the server is the one that was asked, by scheme.
func Describe(scheme string) Endpoint {
	return func(_ context.Context, r *Request) (Response, error) {
		body, err := documentFor(scheme, r.event)
		return Response{Status: http.StatusOK, Body: json.RawMessage(body)}, err
	}
}

// documentFor returns the document with the URL of the server that an event came
// to, without the route's path.
func documentFor(scheme string, e *events.APIGatewayProxyRequest) ([]byte, error) {
	host := e.RequestContext.DomainName
	if host == "" {
		return document, nil
	}
	url, err := json.Marshal(scheme + "://" + host + strings.TrimSuffix(ownPath(e), pathOf(e)))
	if err != nil {
		return nil, fmt.Errorf("encode the server's URL: %w", err)
	}
	return bytes.Replace(document, []byte(documentServer), url, 1), nil
}
