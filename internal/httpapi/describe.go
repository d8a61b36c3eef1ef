package httpapi

import _ "embed"

//go:embed openapi.yaml
var contract string

// OpenAPI is the HTTP contract as an OpenAPI 3.1 document, in YAML. A function
// that does not call this is not linked with the document.
func OpenAPI() string { return contract }
