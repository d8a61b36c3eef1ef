package httpapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/apikey"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/strictjson"
)

// MaxBody is the size limit of a body, in bytes.
const MaxBody = 65536

// Request is an authenticated request, or one to a public route.
type Request struct {
	Account string
	// Path is the path as the caller sent it, with the stage.
	Path   string
	Params map[string]string
	Body   []byte

	event *events.APIGatewayProxyRequest
	// faults has what is wrong with the query and the headers.
	faults apierror.FieldErrors
}

// caller is who sent a request, and the scopes of the key.
type caller struct {
	account, keyID string
	scopes         apikey.Scopes
}

// callerOf returns the caller that the authorizer found, and whether the key is
// still valid. The expiry is checked again because the gateway caches the
// authorizer's response.
func callerOf(e *events.APIGatewayProxyRequest, now time.Time) (caller, bool) {
	found := e.RequestContext.Authorizer
	account, ok := found["account_id"].(string)
	if !ok || !database.IsAccount(account) {
		return caller{}, false
	}
	// A response cached by an older version has neither an ID nor scopes.
	keyID, _ := found["key_id"].(string)
	who := caller{account, keyID, apikey.AllScopes()}
	if scopes, given := found["scopes"]; given && scopes != nil {
		text, _ := scopes.(string)
		who.scopes = apikey.ParseScopes(text)
	}
	expires, given := found["expires_at"]
	if !given || expires == nil {
		return who, true
	}
	seconds, ok := unixSeconds(expires)
	return who, ok && now.Before(time.Unix(seconds, 0))
}

// unixSeconds reads a number of the authorizer's context, which the gateway turns
// into a string.
func unixSeconds(v any) (int64, bool) {
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case float64:
		return int64(v), true
	case json.Number:
		text = v.String()
	default:
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// header returns the last value of a header. The letter case of its name does not
// matter; if it is given in several, the last in the order of bytes counts.
func header(e *events.APIGatewayProxyRequest, name string) (string, bool) {
	for _, k := range slices.Backward(slices.Sorted(maps.Keys(e.MultiValueHeaders))) {
		if values := e.MultiValueHeaders[k]; strings.EqualFold(k, name) && len(values) > 0 {
			return values[len(values)-1], true
		}
	}
	for _, k := range slices.Backward(slices.Sorted(maps.Keys(e.Headers))) {
		if strings.EqualFold(k, name) {
			return e.Headers[k], true
		}
	}
	return "", false
}

// query returns a query parameter, and whether it was given.
func (r *Request) query(name string) (string, bool) {
	values := r.event.MultiValueQueryStringParameters[name]
	if len(values) == 0 {
		v, ok := r.event.QueryStringParameters[name]
		return v, ok
	}
	if len(values) > 1 {
		r.faults.Add(name, "must be given only once")
		return "", false
	}
	return values[0], true
}

// flag returns a query parameter that is true or false.
func (r *Request) flag(name string, defaultValue bool) bool {
	v, ok := r.query(name)
	switch {
	case !ok:
		return defaultValue
	case v == "true" || v == "false":
		return v == "true"
	}
	r.faults.Add(name, "must be true or false")
	return defaultValue
}

// includesHealth reports whether include asks for the health of databases.
func (r *Request) includesHealth() bool {
	v, ok := r.query("include")
	if ok && v != "health" {
		r.faults.Add("include", `must be "health"`)
	}
	return ok && v == "health"
}

// limit returns the page size, 0 if none was given.
func (r *Request) limit() int {
	const maxLimit = 1000
	v, ok := r.query("limit")
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > maxLimit || strconv.Itoa(n) != v {
		r.faults.Add("limit", "must be between 1 and 1000")
	}
	return n
}

// cursor returns the place where a page begins, empty if none was given.
func (r *Request) cursor() string {
	v, ok := r.query("cursor")
	if problem := database.CursorRule(v); ok && problem != "" {
		r.faults.Add("cursor", problem)
	}
	return v
}

// rejectUnknownQuery notes a fault for each query parameter that the route does not
// take.
func (r *Request) rejectUnknownQuery(route Route) {
	const maxFaults = 50
	given := map[string]bool{}
	for name := range r.event.QueryStringParameters {
		given[name] = true
	}
	for name := range r.event.MultiValueQueryStringParameters {
		given[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(route.Query, name) && len(r.faults) < maxFaults {
			r.faults.Add(strictjson.Bounded(name), unknownQuery(name, route))
		}
	}
}

// unknownQuery says what is wrong with a query parameter that the route does not
// take. Where no parameter of the route is near, one of another route may be meant.
func unknownQuery(name string, route Route) string {
	var elsewhere []string
	for _, r := range Routes() {
		for _, q := range r.Query {
			if !slices.Contains(route.Query, q) && !slices.Contains(elsewhere, q) {
				elsewhere = append(elsewhere, q)
			}
		}
	}
	if slices.Contains(elsewhere, name) {
		return "is not a query parameter of this route"
	}
	const message = "is not a known query parameter"
	if near := strictjson.Nearest(name, route.Query); near != "" {
		return message + `; the nearest is "` + near + `"`
	}
	near := strictjson.Nearest(name, elsewhere)
	rest := slices.DeleteFunc(elsewhere, func(q string) bool { return q == near })
	if near == "" || strictjson.Nearest(name, rest) != "" {
		return message
	}
	return message + `; the nearest is "` + near + `", which this route does not take`
}

// idempotencyKey returns the Idempotency-Key, empty if there is none.
func (r *Request) idempotencyKey() string {
	const name, maxLength = "Idempotency-Key", 255
	v, ok := header(r.event, name)
	if !ok {
		return ""
	}
	unprintable := func(c rune) bool { return c < ' ' || c > '~' }
	if v == "" || len(v) > maxLength || strings.ContainsFunc(v, unprintable) {
		r.faults.Add(name, "must be 1 to 255 printable ASCII characters")
	}
	return v
}

// readBody returns the body, or the response to one that is refused.
func readBody(route Route, e *events.APIGatewayProxyRequest) ([]byte, *Response) {
	refuse := func(status int, summary string) ([]byte, *Response) {
		r := problem(status, summary)
		return nil, &r
	}
	if ct, ok := header(e, "Content-Type"); ok && !isJSON(ct) && (route.Body || len(e.Body) > 0) {
		return refuse(http.StatusUnsupportedMediaType, "the Content-Type is not JSON: send application/json")
	}
	if len(e.Body) == 0 {
		return nil, nil
	}
	const tooLarge = "the body is over 64 KiB (65,536 bytes)"
	const maxPadding = 2
	size := len(e.Body)
	if e.IsBase64Encoded {
		size = base64.StdEncoding.DecodedLen(size) - maxPadding
	}
	if size > MaxBody {
		return refuse(http.StatusRequestEntityTooLarge, tooLarge)
	}
	if !e.IsBase64Encoded {
		return []byte(e.Body), nil
	}
	body, err := base64.StdEncoding.DecodeString(e.Body)
	switch {
	case err != nil:
		return refuse(http.StatusBadRequest, "the body is declared as base64 and is not base64")
	case len(body) > MaxBody:
		return refuse(http.StatusRequestEntityTooLarge, tooLarge)
	}
	return body, nil
}

// rejectBody returns the error of a body that a route without one does not ignore.
func rejectBody(route Route, body []byte) error {
	if route.Body || len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	_, err := strictjson.Parse(body, apierror.FieldErrors{})
	return err
}

// isJSON reports whether a Content-Type is JSON in UTF-8.
func isJSON(contentType string) bool {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return false
	}
	return media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}
