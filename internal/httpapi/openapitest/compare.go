package openapitest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/pb33f/libopenapi-validator/config"
	faults "github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/responses"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

// version is the document's, as the validator counts.
const version = 3.1

// jsonType is the one type of the API's bodies.
const jsonType = "application/json"

// compare tells what of a response is not as declared.
func (c *Contract) compare(declared *v3.Response, request Request, response Response) error {
	asked, err := request.http()
	if err != nil {
		return err
	}
	answer := &http.Response{StatusCode: response.Status, Header: response.Header, Body: io.NopCloser(bytes.NewReader(response.Body)), Request: asked}
	options := config.WithExistingOpts(c.options)
	var found []*faults.ValidationError
	_, wrong := responses.ValidateResponseHeaders(asked, answer, declared.Headers, asked.URL.Path, fmt.Sprint(response.Status), options)
	found = append(found, wrong...)
	// An answer to HEAD has no body, whatever its type.
	if request.Method != http.MethodHead {
		_, wrong = responses.ValidateResponseSchema(&responses.ValidateResponseSchemaInput{
			Request: asked, Response: answer, Version: version, Options: []config.Option{options},
			Schema: declared.Content.GetOrZero(jsonType).Schema.Schema(),
		})
		found = append(found, wrong...)
	}
	return errors.Join(explain(found), undeclared(declared, response.Header))
}

// undeclared tells of headers that the document does not have, and of another
// type than JSON. A server adds some headers by itself.
func undeclared(declared *v3.Response, header http.Header) error {
	var err error
	if t := header.Get("Content-Type"); t != jsonType {
		err = fmt.Errorf("the Content-Type is %q", t)
	}
	known := []string{"Content-Type", "Content-Length", "Date", "Connection", "Transfer-Encoding"}
	for name := range declared.Headers.FromOldest() {
		known = append(known, http.CanonicalHeaderKey(name))
	}
	for name := range header {
		if !slices.Contains(known, http.CanonicalHeaderKey(name)) {
			err = errors.Join(err, fmt.Errorf("the document does not have the header %s", name))
		}
	}
	return err
}

// explain is the validator's findings, with what it found of each.
func explain(found []*faults.ValidationError) error {
	errs := make([]error, 0, len(found))
	for _, f := range found {
		text := f.Message + ": " + f.Reason
		for _, s := range f.SchemaValidationErrors {
			text += fmt.Sprintf("\n  at %s: %s (%s)", "/"+strings.Join(s.InstancePath, "/"), s.Reason, s.KeywordLocation)
		}
		errs = append(errs, errors.New(text))
	}
	return errors.Join(errs...)
}
