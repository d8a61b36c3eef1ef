package httpapi

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// MaxBody is the most that a body may have, in bytes.
const MaxBody = 65536

// Request is a request that is let in: whose it is, and what it asks.
type Request struct {
	Account string
	// Path is the request's own, with the stage where there is one, so that what
	// is built on it leads back here.
	Path   string
	Params map[string]string
	Body   []byte

	event *events.APIGatewayProxyRequest
}

// account is the account that the authorizer found, and whether its key is
// still good. It comes from the authorizer's context and from nowhere else; the
// key's end is looked at here because the gateway keeps the authorizer's answer.
func account(e *events.APIGatewayProxyRequest, now time.Time) (string, bool) {
	id, ok := e.RequestContext.Authorizer["account_id"].(string)
	if !ok || !database.IsAccount(id) {
		return "", false
	}
	expires, given := e.RequestContext.Authorizer["expires_at"]
	if !given || expires == nil {
		return id, true
	}
	seconds, ok := unixSeconds(expires)
	return id, ok && now.Before(time.Unix(seconds, 0))
}

// unixSeconds reads a number of the authorizer's context, which the gateway
// hands on as a string.
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

// header is the value of a header, whatever the letter case of its name.
func header(e *events.APIGatewayProxyRequest, name string) (string, bool) {
	for k, vs := range e.MultiValueHeaders {
		if strings.EqualFold(k, name) && len(vs) > 0 {
			return vs[len(vs)-1], true
		}
	}
	for k, v := range e.Headers {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return "", false
}

// query is a query parameter, and whether it is given, once.
func (r *Request) query(name string, faults apierror.FieldErrors) (string, bool) {
	values := r.event.MultiValueQueryStringParameters[name]
	if len(values) == 0 {
		v, ok := r.event.QueryStringParameters[name]
		return v, ok
	}
	if len(values) > 1 {
		faults.Add(name, "must be given only once")
		return "", false
	}
	return values[0], true
}

// flag reads a query parameter that is true or false, and absent otherwise.
func (r *Request) flag(name string, otherwise bool, faults apierror.FieldErrors) bool {
	v, ok := r.query(name, faults)
	switch {
	case !ok:
		return otherwise
	case v == "true" || v == "false":
		return v == "true"
	}
	faults.Add(name, "must be true or false")
	return otherwise
}

// limit reads how many are wanted, 0 where it is not said.
func (r *Request) limit(faults apierror.FieldErrors) int {
	const most = 1000
	v, ok := r.query("limit", faults)
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > most {
		faults.Add("limit", "must be between 1 and 1000")
	}
	return n
}

// idempotencyKey is the key of a request that may be repeated, or empty.
func (r *Request) idempotencyKey(faults apierror.FieldErrors) string {
	const name, most = "Idempotency-Key", 255
	v, ok := header(r.event, name)
	if !ok {
		return ""
	}
	unprintable := func(c rune) bool { return c < ' ' || c > '~' }
	if v == "" || len(v) > most || strings.ContainsFunc(v, unprintable) {
		faults.Add(name, "must be 1 to 255 printable ASCII characters")
	}
	return v
}

// readBody gives the body, whose size and type are looked at before its bytes.
func readBody(e *events.APIGatewayProxyRequest) ([]byte, *problem) {
	if len(e.Body) == 0 {
		return nil, nil
	}
	if ct, ok := header(e, "Content-Type"); ok && !isJSON(ct) {
		return nil, &problem{http.StatusUnsupportedMediaType, "the Content-Type is not JSON: send application/json"}
	}
	tooLarge := &problem{http.StatusRequestEntityTooLarge, "the body is over 64 KiB (65,536 bytes)"}
	if !e.IsBase64Encoded {
		if len(e.Body) > MaxBody {
			return nil, tooLarge
		}
		return []byte(e.Body), nil
	}
	if base64.StdEncoding.DecodedLen(len(e.Body)) > MaxBody+2 { // as much as padding may add
		return nil, tooLarge
	}
	body, err := base64.StdEncoding.DecodeString(e.Body)
	switch {
	case err != nil:
		return nil, &problem{http.StatusBadRequest, "the body is not the base64 that it was announced to be"}
	case len(body) > MaxBody:
		return nil, tooLarge
	}
	return body, nil
}

// isJSON tells whether a Content-Type is JSON in UTF-8.
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
