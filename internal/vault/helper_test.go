package vault_test

import (
	"io"
	"net/http"
	"strings"
)

// readAll returns a request's body.
func readAll(r *http.Request) (string, error) {
	b, err := io.ReadAll(r.Body)
	return string(b), err
}

// textBody returns a response's body.
func textBody(s string) io.ReadCloser { return io.NopCloser(strings.NewReader(s)) }
