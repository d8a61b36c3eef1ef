// Package describe serves the HTTP contract as JSON. It is apart from httpapi
// so that only the function that serves it is linked with a YAML reader.
package describe

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"

	"github.com/headgate/headgate/internal/httpapi"
)

// Endpoint is GET /api/openapi.json: 200 with the document. It is turned into
// JSON by the first request, and kept.
func Endpoint() httpapi.Endpoint {
	document := sync.OnceValues(func() ([]byte, error) { return JSON(httpapi.OpenAPI()) })
	return func(context.Context, *httpapi.Request) (httpapi.Response, error) {
		body, err := document()
		return httpapi.Response{Status: http.StatusOK, Body: json.RawMessage(body)}, err
	}
}
