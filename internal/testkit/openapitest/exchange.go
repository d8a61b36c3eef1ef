package openapitest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

// path returns the request's path from /api on, without a trailing slash, which the
// API ignores.
func (r Request) path() string {
	path := r.Path
	if i := strings.Index(path, "/api/"); i > 0 {
		path = path[i:]
	}
	return strings.TrimSuffix(path, "/")
}

// http returns r as net/http has it. The document has one name for JSON, the API
// takes several and none.
func (r Request) http() (*http.Request, error) {
	u, err := url.Parse(r.path())
	if err != nil {
		u = &url.URL{Path: r.path()}
	}
	u.RawQuery = r.Query.Encode()
	out, err := http.NewRequest(r.Method, u.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	for name, values := range r.Header {
		for _, v := range values {
			out.Header.Add(name, v)
		}
	}
	if len(r.Body) > 0 {
		out.Header.Set("Content-Type", jsonType)
	}
	return out, nil
}

// Event is Validate for an event of API Gateway and the response to it.
func (c *Contract) Event(tb testing.TB, e events.APIGatewayProxyRequest, answer events.APIGatewayProxyResponse) {
	tb.Helper()
	c.Validate(tb, fromEvent(e), Response{
		Status: answer.StatusCode, Header: headers(answer.Headers, answer.MultiValueHeaders), Body: []byte(answer.Body),
	})
}

func fromEvent(e events.APIGatewayProxyRequest) Request {
	r := Request{
		Method: e.HTTPMethod, Path: e.Path, Query: url.Values{}, Header: headers(e.Headers, e.MultiValueHeaders), Body: []byte(e.Body),
	}
	for name, value := range e.QueryStringParameters {
		r.Query[name] = []string{value}
	}
	for name, values := range e.MultiValueQueryStringParameters {
		r.Query[name] = values
	}
	if e.IsBase64Encoded {
		// Invalid base64 gets a 400, whose request is not validated.
		r.Body, _ = base64.StdEncoding.DecodeString(e.Body)
	}
	return r
}

// headers returns the headers of both forms of an event. The form with several
// values takes precedence.
func headers(single map[string]string, multi map[string][]string) http.Header {
	h := http.Header{}
	for name, value := range single {
		h.Set(name, value)
	}
	for name, values := range multi {
		h[http.CanonicalHeaderKey(name)] = values
	}
	return h
}

// Transport returns next with every exchange validated, for the client of a suite
// that talks to a server.
func (c *Contract) Transport(tb testing.TB, next http.RoundTripper) http.RoundTripper {
	return transport{c, tb, next}
}

type transport struct {
	contract *Contract
	tb       testing.TB
	next     http.RoundTripper
}

// RoundTrip sends r and validates the exchange.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return nil, fmt.Errorf("read the request's body: %w", err)
		}
		sent = body
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	answer, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(answer.Body)
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return nil, fmt.Errorf("read the response's body: %w", err)
	}
	answer.Body = io.NopCloser(bytes.NewReader(got))
	t.contract.Validate(t.tb, Request{
		Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.Query(), Header: r.Header, Body: sent,
	}, Response{Status: answer.StatusCode, Header: answer.Header, Body: got})
	return answer, nil
}
