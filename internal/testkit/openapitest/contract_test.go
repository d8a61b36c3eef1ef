package openapitest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/testkit/openapitest"
)

func newContract(t *testing.T) *openapitest.Contract {
	t.Helper()
	c, err := openapitest.New()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	collection = "/api/postgres_databases"
	id         = "01980f3e-6c1b-7a52-9d0e-3b6f1c2a4e11"
	one        = collection + "/" + id
	problem    = `{"summary":"s"}`
	parameter  = `{"summary":"s","code":"invalid_payload","validation_errors":{"x":["m"]}}`
	database   = `{"id":"` + id + `","name":"n","hostname":"h","port":5432,"database":"d","username":"u","password":"************",` +
		`"ssl":true,"ipv6":false,"use_local_tunnel":false,"pool_size":10,"queue_interval":1000,"queue_target":50,` +
		`"replication_slots":[{"id":"` + id + `","publication_name":"p","slot_name":"s","status":"active"}]}`
	secret  = `"password_secret_arn":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:a/b-AbCdEf"`
	payload = `{"name":"n","hostname":"h","database":"d","username":"u","password":"w",` +
		`"replication_slots":[{"publication_name":"p","slot_name":"s"}]}`
)

func header(more ...string) http.Header {
	h := http.Header{"X-Request-Id": {"r"}, "Cache-Control": {"no-store"}, "Content-Type": {"application/json"}}
	for i := 0; i < len(more); i += 2 {
		h.Set(more[i], more[i+1])
	}
	return h
}

func without(name string) http.Header {
	h := header()
	h.Del(name)
	return h
}

func TestCheckResponse(t *testing.T) {
	t.Parallel()
	contract := newContract(t)
	location := header("Location", "/v1"+one)
	tests := []struct {
		name         string
		method, path string
		status       int
		header       http.Header
		body         string
		says         string // empty where it is allowed
	}{
		{"an object", "GET", one, 200, header(), database, ""},
		{"an object behind a stage", "GET", "/v1" + one, 200, header(), database, ""},
		{"a trailing slash", "GET", one + "/", 200, header(), database, ""},
		{"an unknown parameter of a check", "POST", one + "/test_connection", 422, header(), parameter, ""},
		{"an unknown parameter of a delete", "DELETE", one, 422, header(), parameter, ""},
		{"an unknown parameter of the document", "GET", "/api/openapi.json", 422, header(), parameter, ""},
		{"a parameter without a fault", "DELETE", one, 422, header(), strings.Replace(parameter, `"x":["m"]`, "", 1), "minProperties"},
		{"an object by name", "GET", collection + "/a.b", 200, header(), database, ""},
		{"a new object", "POST", collection, 201, location, database, ""},
		{"a new object without Location", "POST", collection, 201, header(), database, "Location"},
		{"a Location elsewhere", "POST", collection, 201, header("Location", "/elsewhere"), database, "Location"},
		{"an unknown field", "GET", one, 200, header(), strings.Replace(database, `"name"`, `"nom":1,"name"`, 1), "nom"},
		{"a missing field", "GET", one, 200, header(), strings.Replace(database, `"port":5432,`, "", 1), "port"},
		{"a primary's password", "GET", one, 200, header(), strings.Replace(
			database, `"ssl":true`,
			`"ssl":true,"primary":{"hostname":"h","port":1,"database":"d","username":"u","ssl":true,"ipv6":false,"password":"w"}`, 1,
		), "password"},
		{"a secret in the password's place", "GET", one, 200, header(), strings.Replace(database, `"password":"************"`, secret, 1), ""},
		{"a secret and a password", "GET", one, 200, header(), strings.Replace(database, `"ssl":true`, `"ssl":true,`+secret, 1), "oneOf"},
		{"an empty list of warnings", "GET", one, 200, header(), strings.Replace(database, `"ssl":true`, `"ssl":true,"warnings":[]`, 1), "warnings"},
		{"a body that is not JSON", "GET", one, 200, header(), "{", "decode"},
		{"no body", "GET", one, 200, header(), "", "body"},
		{"a null for a list", "GET", collection, 200, header(), `{"data":null}`, "data"},
		{"another status", "GET", one, 418, header(), problem, "418"},
		{"a status of another route", "GET", one, 201, location, database, "201"},
		{"no request ID", "GET", one, 404, without("X-Request-Id"), problem, "X-Request-Id"},
		{"a cacheable response", "GET", one, 404, header("Cache-Control", "max-age=1"), problem, "Cache-Control"},
		{"an unknown header", "GET", one, 404, header("Server", "x"), problem, "Server"},
		{"another type", "GET", one, 404, header("Content-Type", "text/html"), problem, "text/html"},
		{"a 503 without Retry-After", "GET", one, 503, header(), problem, "Retry-After"},
		{"a 503", "GET", one, 503, header("Retry-After", "5"), problem, ""},
		{"a code in a 404", "GET", one, 404, header(), `{"summary":"s","code":"c"}`, "code"},
		{"a 409 of another route", "PATCH", one, 409, header(), `{"summary":"s","code":"request_in_progress"}`, "version_conflict"},
		{"a 409 of a create", "POST", collection, 409, header(), `{"summary":"s","code":"request_in_progress"}`, ""},
		{"an unknown code", "POST", collection, 422, header(), `{"summary":"s","code":"c","validation_errors":{"name":["m"]}}`, "code"},
		{"a failure without its checks", "POST", collection, 422, header(), `{"summary":"s","code":"tls_failed","validation_errors":{}}`, "checks"},
		{"an invalid payload without a field", "POST", collection, 422, header(), `{"summary":"s","code":"invalid_payload","validation_errors":{}}`, "minProperties"},
		{"an unknown path", "GET", "/api/nope", 404, header(), problem, ""},
		{"a 200 for an unknown path", "GET", "/api/nope", 200, header(), problem, "200"},
		{"another method", "TRACE", one, 405, header("Allow", "GET, PUT"), problem, ""},
		{"another method without Allow", "TRACE", one, 405, header(), problem, "Allow"},
		{"a 404 for another method", "TRACE", one, 404, header(), problem, "404"},
		{"a 405 for a method of the path", "GET", one, 405, header("Allow", "GET"), problem, "405"},
		{"no key", "GET", "/api/nope", 401, header("WWW-Authenticate", "Bearer"), problem, ""},
		{"a key without the scope", "DELETE", one, 403, header(), problem, ""},
		{"no scope for a public route", "GET", "/api/openapi.json", 403, header(), problem, "403"},
		{"no key for a public route", "GET", "/api/openapi.json", 401, header("WWW-Authenticate", "Bearer"), problem, "401"},
		{"HEAD has no body", "HEAD", one, 405, header("Allow", "GET"), "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := contract.CheckResponse(openapitest.Request{Method: tt.method, Path: tt.path},
				openapitest.Response{Status: tt.status, Header: tt.header, Body: []byte(tt.body)})
			expect(t, err, tt.says)
		})
	}
}

func expect(t *testing.T, err error, says string) {
	t.Helper()
	switch {
	case says == "" && err != nil:
		t.Errorf("refused: %v", err)
	case says != "" && err == nil:
		t.Errorf("allowed, want an error about %s", says)
	case says != "" && !strings.Contains(err.Error(), says):
		t.Errorf("%v, want an error about %s", err, says)
	}
}

func TestCheckRequest(t *testing.T) {
	t.Parallel()
	contract := newContract(t)
	with := func(member string) string { return strings.Replace(payload, `{"name"`, `{`+member+`,"name"`, 1) }
	url := `{"name":"n","url":"postgres://u:w@h/d","replication_slots":[{"publication_name":"p","slot_name":"s"}]`
	tests := []struct {
		name         string
		method, path string
		query        string
		body         string
		allowed      bool
	}{
		{"by fields", "POST", collection, "", payload, true},
		{"by URL", "POST", collection, "dry_run=true&show_sensitive=false", url + `}`, true},
		{"by URL, the fields null and the port 0", "POST", collection, "", url + `,"hostname":null,"port":0,"password":null}`, true},
		{"by fields, the URL null", "POST", collection, "", with(`"url":null,"port":0,"primary":null,"ssl":null`), true},
		{"both", "POST", collection, "", with(`"url":"postgres://u:w@h/d"`), false},
		{"neither", "POST", collection, "", `{"name":"n","replication_slots":[{"publication_name":"p","slot_name":"s"}]}`, false},
		{"an unknown field", "POST", collection, "", with(`"hostnme":"h"`), false},
		{"an object sent back", "POST", collection, "", strings.Replace(database, "************", "w", 1), true},
		{"an object sent back with its mask", "POST", collection, "", database, false},
		{"a local tunnel", "POST", collection, "", with(`"use_local_tunnel":true`), false},
		{"a port in a string", "POST", collection, "", with(`"port":"5432"`), false},
		{"a mode without TLS", "POST", collection, "", with(`"ssl":false,"ssl_mode":"require"`), false},
		{"certificates without verify-full", "POST", collection, "", with(`"ssl_root_cert":"-----BEGIN CERTIFICATE-----"`), false},
		{"certificates with verify-full", "POST", collection, "", with(`"ssl_mode":"verify-full","ssl_root_cert":"-----BEGIN CERTIFICATE-----"`), true},
		{"a name that is a UUID", "POST", collection, "", strings.Replace(payload, `"name":"n"`, `"name":"`+id+`"`, 1), false},
		{"two slots", "POST", collection, "", strings.Replace(payload, `}]`, `},{"publication_name":"p","slot_name":"s"}]`, 1), false},
		{"a primary without its password", "POST", collection, "", with(`"primary":{"hostname":"h","database":"d","username":"u"}`), false},
		{"a secret in the password's place", "POST", collection, "", strings.Replace(payload, `"username":"u","password":"w"`, secret, 1), true},
		{"a secret and a password", "POST", collection, "", with(secret), false},
		{"a secret and a URL", "POST", collection, "", url + `,` + secret + `}`, false},
		{"a login by IAM and a password", "POST", collection, "", with(`"authentication":"rds_iam"`), false},
		{"a login by IAM and a secret", "POST", collection, "", strings.Replace(payload, `"username":"u","password":"w"`, `"username":"u","authentication":"rds_iam",`+secret, 1), false},
		{"a login by IAM and a URL", "POST", collection, "", url + `,"authentication":"rds_iam"}`, false},
		{"a login by IAM", "POST", collection, "", strings.Replace(payload, `"password":"w"`, `"authentication":"rds_iam"`, 1), true},
		{"a password, and that named", "POST", collection, "", with(`"authentication":"password"`), true},
		{"an update from a secret to a password", "PATCH", one, "", `{"password":"w","password_secret_arn":null}`, true},
		{"an invalid flag", "POST", collection, "dry_run=yes", payload, false},
		{"an object updated with itself", "PUT", one, "verify=false", database, true},
		{"nothing updated", "PATCH", one, "", `{}`, true},
		{"a primary updated in part", "PATCH", one, "", `{"primary":{"port":5433}}`, true},
		{"a primary removed", "PATCH", one, "", `{"primary":null,"replication_slots":[]}`, true},
		{"an update by URL and host", "PATCH", one, "", `{"url":"postgres://u:w@h/d","hostname":"h"}`, false},
		{"a slot updated in part", "PATCH", one, "", `{"replication_slots":[{"slot_name":"t"}]}`, true},
		{"a page", "GET", collection, "limit=1000&cursor=abc", "", true},
		{"an empty page", "GET", collection, "limit=0", "", false},
		{"a page that is too large", "GET", collection, "limit=1001", "", false},
		{"an empty cursor", "GET", collection, "cursor=", "", false},
		{"an unknown path", "GET", "/api/nope", "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := contract.CheckRequest(request(t, tt.method, tt.path, tt.query, tt.body))
			if (err == nil) != tt.allowed {
				t.Errorf("allowed %t, want %t (%v)", err == nil, tt.allowed, err)
			}
		})
	}
}

func request(t *testing.T, method, path, query, body string) openapitest.Request {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return openapitest.Request{Method: method, Path: path, Query: values, Body: []byte(body)}
}

// recorder is a test that counts its failures.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	failed int
}

func (*recorder) Helper() {}

func (r *recorder) Errorf(string, ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed++
}

func TestContract_TransportAndEvent(t *testing.T) {
	t.Parallel()
	contract := newContract(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range header("Location", one) {
			w.Header()[name] = values
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != payload {
			t.Errorf("the server got %q (%v)", body, err)
		}
		w.WriteHeader(http.StatusCreated)
		if _, err := io.WriteString(w, strings.Replace(database, `"n"`, `"`+r.URL.Query().Get("name")+`"`, 1)); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	for name, failures := range map[string]int{"n": 0, "": 1} {
		seen := &recorder{TB: t}
		client := &http.Client{Transport: contract.Transport(seen, http.DefaultTransport)}
		answer, err := client.Post(server.URL+collection+"?name="+name, "application/json", strings.NewReader(payload))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.Body.Close() != nil || !strings.HasPrefix(string(body), `{"id"`) {
			t.Errorf("the client got %q (%v)", body, err)
		}
		contract.Event(seen, events.APIGatewayProxyRequest{HTTPMethod: "POST", Path: collection, Body: payload},
			events.APIGatewayProxyResponse{
				StatusCode: 201, Body: string(body),
				Headers: map[string]string{"X-Request-Id": "r", "Cache-Control": "no-store", "Content-Type": "application/json", "Location": one},
			})
		if seen.failed != 2*failures {
			t.Errorf("a database named %q: %d failures, want %d", name, seen.failed, 2*failures)
		}
	}
}
