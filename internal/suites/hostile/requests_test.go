package hostile_test

import (
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/testkit/gateway"
)

// fieldNames returns the fields of a payload, and some that are none.
func fieldNames() []string {
	return []string{
		"name", "url", "hostname", "port", "database", "username", "password", "password_secret_arn", "ssl", "ssl_mode", "ssl_root_cert", "ipv6",
		"annotations", "primary", "replication_slots", "publication_name", "slot_name", "status", "id",
		"authentication", "create_if_not_exists", "publication", "tables", "schemas", "publish_via_partition_root", "created", "secret_arn", "health", "use_local_tunnel", "pool_size", "warnings",
		"Name", "hostnam", "__proto__", "", "a\u202eb", "x\x00y", "\r\nX-Header: y", strings.Repeat("n", 10_000),
	}
}

// oddJSON returns the text of a JSON value of the grammar, or of nearly one.
func oddJSON(r *rand.Rand, depth int) string {
	if depth > 4 {
		return pick(r, oddLeaves(r))
	}
	switch r.IntN(12) {
	case 0:
		return strings.Repeat("[", 1+r.IntN(30_000))
	case 1:
		return strings.Repeat(`{"primary":`, r.IntN(3000)) + "null" + strings.Repeat("}", r.IntN(3000))
	case 2, 3:
		items := make([]string, r.IntN(5))
		for i := range items {
			items[i] = oddJSON(r, depth+1)
		}
		return "[" + strings.Join(items, ",") + "]"
	case 4, 5, 6:
		return oddObject(r, depth)
	}
	return pick(r, oddLeaves(r))
}

func oddObject(r *rand.Rand, depth int) string {
	members := make([]string, r.IntN(12))
	for i := range members {
		members[i] = asJSON(pick(r, fieldNames())) + ":" + oddJSON(r, depth+1)
	}
	return "{" + strings.Join(members, ",") + "}"
}

func oddLeaves(r *rand.Rand) []string {
	return []string{
		"null", "true", "0", "-0", "1e400", "-1", "5432.0", "1" + strings.Repeat("0", 5000), "65536", `""`, `"\ud800"`, `"\u0000"`, `"a` + "\x00" + `"`, `"\x"`,
		"\"\xff\xfe\"", "nul", "'x'", "NaN", "// comment", "\ufeff{}", asJSON(hostileText(r)[:0] + hostileNames(r, "/tmp/x", 80)[0]),
		asJSON(strings.Repeat(pick(r, []string{"x", "\u202e", `"`, "\\"}), pick(r, []int{63, 64, 255, 256, 4097, 20_000}))),
		asJSON("postgres://u:p@" + pick(r, []string{"[::1]", "h", "h:0", "h:99999", "h%00", "h\r\n", "[", "", "a:b@c"}) + "/d?sslmode=disable"),
		`"arn:aws:secretsmanager:eu-west-1:123456789012:secret:x"`, `"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"`,
	}
}

// oddPayload returns a valid create with some of its fields replaced, or something
// else altogether.
func oddPayload(r *rand.Rand) string {
	if r.IntN(4) == 0 {
		return oddJSON(r, 0)
	}
	p := source("db.example", 5432)
	p["primary"] = map[string]any{"hostname": "db.example", "database": "d", "username": "u", "password": "p"}
	raw := map[string]json.RawMessage{}
	for name, v := range p {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		raw[name] = text
	}
	if r.IntN(4) == 0 {
		raw["replication_slots"] = json.RawMessage(oddSlot(r))
	}
	for range 1 + r.IntN(3) {
		raw[pick(r, fieldNames())] = json.RawMessage(oddJSON(r, 2))
	}
	var members []string
	for name, text := range raw {
		members = append(members, asJSON(name)+":"+string(text))
	}
	slices.Sort(members)
	return "{" + strings.Join(members, ",") + "}" + pick(r, []string{"", "", "", " ", "{}", "x", "\x00"})
}

// oddSlot returns a slot to be made, with a publication whose lists are odd or long.
func oddSlot(r *rand.Rand) string {
	names := hostileNames(r, "/tmp/x", 80)
	list := func(element func(name string) string) string {
		elements := make([]string, pick(r, []int{0, 1, 2, 1000, 1001, 20_000}))
		for i := range elements {
			elements[i] = element(pick(r, names))
		}
		return "[" + strings.Join(elements, ",") + "]"
	}
	tables := list(func(name string) string {
		return `{"schema":` + asJSON(name) + `,"name":` + asJSON(pick(r, names)) + `}`
	})
	return `[{"slot_name":"s","publication_name":` + asJSON(pick(r, names)) + `,"create_if_not_exists":` + pick(r, []string{"true", "false", "null", `"true"`, oddJSON(r, 3)}) +
		`,"publication":` + pick(r, []string{
		`{"create_if_not_exists":true,"tables":` + tables + `}`,
		`{"create_if_not_exists":true,"schemas":` + list(asJSON) + `}`,
		`{"create_if_not_exists":true,"tables":` + tables + `,"schemas":["s"]}`,
		`{"tables":` + oddJSON(r, 3) + `}`, oddJSON(r, 2),
	}) + `}]`
}

// oddEvent returns an event of the gateway with a request that no client would send.
func oddEvent(r *rand.Rand) events.APIGatewayProxyRequest {
	method := pick(r, []string{"POST", "POST", "POST", "GET", "PATCH", "PUT", "DELETE", "OPTIONS", "TRACE", "post", "", "X\r\n", strings.Repeat("M", 5000)})
	path := gateway.Collection + pick(r, []string{
		"", "", "", "/", "//", "/orders", "/orders/test_connection", "/orders/refresh_tables", "/%00", "/..", "/../../x", "/" + strings.Repeat("a", 9000),
		"/00000000-0000-7000-8000-000000000000", "/a%2fb", "/\u202e", "/orders/health", "/%zz", "/a\r\nb",
	})
	e := events.APIGatewayProxyRequest{
		HTTPMethod: method, Path: path, Headers: map[string]string{}, MultiValueHeaders: map[string][]string{},
		QueryStringParameters: map[string]string{}, MultiValueQueryStringParameters: map[string][]string{},
	}
	e.RequestContext.Path, e.RequestContext.RequestID = gateway.Stage+path, gateway.RequestID
	e.RequestContext.Authorizer = map[string]any{"account_id": account}
	if r.IntN(30) == 0 {
		e.RequestContext.Authorizer = pick(r, []map[string]any{
			nil,
			{"account_id": 7},
			{"account_id": "a#b"},
			{"account_id": ""},
			{"account_id": account, "expires_at": "x"},
			{"account_id": account, "expires_at": -1.0},
			{"account_id": account, "expires_at": []any{}},
			{"account_id": account, "scopes": 7, "key_id": 7},
			{"account_id": account, "scopes": ""},
			{"account_id": account, "scopes": "read,\x00,WRITE,reveal "},
		})
	}
	for range r.IntN(4) {
		name := pick(r, []string{"dry_run", "show_sensitive", "verify", "limit", "cursor", "include", "drop_slot", "drop_publication", "dry_Run", "", "a\u202eb", "\r\n", strings.Repeat("q", 3000)})
		v := pick(r, []string{"true", "false", "", "1", "1001", "-1", "TRUE", "\x00", strings.Repeat("c", 5000), "AAAA", "\u2028"})
		e.MultiValueQueryStringParameters[name] = append(e.MultiValueQueryStringParameters[name], v)
		e.QueryStringParameters[name] = v
	}
	for range r.IntN(4) {
		name := pick(r, []string{"Idempotency-Key", "idempotency-key", "IDEMPOTENCY-KEY", "Content-Type", "content-type", "X-Request-Id", "Host", "X-Forwarded-For", ""})
		v := pick(r, []string{"a key", "", "a\r\nb", "\x00", strings.Repeat("k", 256), "ключ", "application/json", "application/json; charset=latin1", "text/plain", "application/x+json", ";;;"})
		if r.IntN(2) == 0 {
			e.Headers[name] = v
		} else {
			e.MultiValueHeaders[name] = append(e.MultiValueHeaders[name], v)
		}
	}
	body := oddPayload(r)
	if method == http.MethodGet || method == http.MethodDelete || r.IntN(30) == 0 {
		body = ""
	}
	if r.IntN(40) == 0 {
		body = strings.Repeat(pick(r, []string{" ", "x", `"`, "{"}), pick(r, []int{65_535, 65_536, 65_537, 200_000, 5_000_000}))
	}
	e.Body = body
	if r.IntN(10) == 0 {
		e.IsBase64Encoded = true
		if r.IntN(4) > 0 {
			e.Body = base64.StdEncoding.EncodeToString([]byte(body))
		}
	}
	return e
}
