package httpapi

import (
	"context"
	_ "embed"
	"encoding/json"
	"net/http"
)

// document is made from openapi.yaml by `make openapi`.
//
//go:embed openapi.json
var document []byte

// OpenAPI returns the HTTP contract as an OpenAPI 3.1 document in JSON. Programs
// that call neither this nor [Describe] are linked without the document.
func OpenAPI() []byte { return document }

// Describe answers GET /api/openapi.json: 200 with the document.
func Describe(context.Context, *Request) (Response, error) {
	return Response{Status: http.StatusOK, Body: json.RawMessage(document)}, nil
}
