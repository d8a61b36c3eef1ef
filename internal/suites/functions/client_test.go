package functions_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/testkit/devtest"
	"github.com/headgate/headgate/internal/testkit/gateway"
	"github.com/headgate/headgate/internal/testkit/openapitest"
	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

const (
	collection = gateway.Collection
	orders     = collection + "/orders"
)

type response struct {
	status int
	header http.Header
	body   []byte
}

// api sends requests to an implementation of the API and validates every exchange
// against the OpenAPI document.
type api interface {
	do(t *testing.T, r gateway.Request) response
}

// onEach runs a test with the functions over moto and with the development server.
func onEach(t *testing.T, test func(*testing.T, api)) {
	t.Helper()
	for name, open := range map[string]func(*testing.T) api{
		"functions over moto": func(t *testing.T) api { return newFunctions(t) },
		"development server":  func(t *testing.T) api { return newServer(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func contract(t *testing.T) *openapitest.Contract {
	t.Helper()
	c, err := openapitest.New()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// functions routes requests to the functions of a stack, in the place of API
// Gateway.
type functions struct {
	*stack
	contract *openapitest.Contract
	mu       sync.Mutex
	started  map[string]*runtimeapi.Function
}

func newFunctions(t *testing.T) *functions {
	t.Helper()
	return &functions{stack: newStack(t), contract: contract(t), started: map[string]*runtimeapi.Function{}}
}

func (f *functions) function(name string) *runtimeapi.Function {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.started[name] == nil {
		f.started[name] = f.stack.function(name)
	}
	return f.started[name]
}

func (f *functions) do(t *testing.T, r gateway.Request) response {
	t.Helper()
	name, event, err := gateway.Event(r)
	if err != nil {
		t.Fatal(err)
	}
	return f.send(t, f.function(name), event)
}

// send invokes a function with an event of the gateway.
func (f *functions) send(t *testing.T, function *runtimeapi.Function, event events.APIGatewayProxyRequest) response {
	t.Helper()
	var out events.APIGatewayProxyResponse
	if err := invoke(t, function, event, &out); err != nil {
		t.Fatal(err)
	}
	f.contract.Event(t, event, out)
	return response{out.StatusCode, gateway.Header(out), []byte(out.Body)}
}

// server is the development server. It has one account.
type server struct {
	url    string
	client *http.Client
}

const localKey = "local-key"

func newServer(t *testing.T) *server {
	t.Helper()
	return newServerOn(t, filepath.Join(t.TempDir(), "headgate.db"))
}

// newServerOn returns a development server with that data file.
func newServerOn(t *testing.T, path string) *server {
	t.Helper()
	s := devtest.Start(t, "DATA_FILE="+path, "API_KEY="+localKey)
	return &server{s.URL(), &http.Client{Transport: contract(t).Transport(t, http.DefaultTransport)}}
}

func (s *server) do(t *testing.T, r gateway.Request) response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), r.Method, s.url+r.Target, bytes.NewReader(r.Body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+localKey)
	for name, value := range r.Header {
		request.Header.Set(name, value)
	}
	out, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Body.Close() }()
	body, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{out.StatusCode, out.Header, body}
}

// client is a typed client of the API, written from its documentation alone.
type client struct {
	t       *testing.T
	api     api
	account string
}

type slotResource struct {
	ID              string `json:"id,omitempty"`
	PublicationName string `json:"publication_name"`
	SlotName        string `json:"slot_name"`
	Status          string `json:"status,omitempty"`
}

type databaseResource struct {
	ID               string         `json:"id,omitempty"`
	Name             string         `json:"name"`
	Hostname         string         `json:"hostname"`
	Port             int            `json:"port"`
	Database         string         `json:"database"`
	Username         string         `json:"username"`
	Password         string         `json:"password,omitempty"`
	SSL              bool           `json:"ssl"`
	IPv6             bool           `json:"ipv6"`
	UseLocalTunnel   bool           `json:"use_local_tunnel"`
	PoolSize         int            `json:"pool_size,omitempty"`
	QueueInterval    int            `json:"queue_interval,omitempty"`
	QueueTarget      int            `json:"queue_target,omitempty"`
	ReplicationSlots []slotResource `json:"replication_slots"`
}

// call sends a body as JSON, fails the test unless the response has the status,
// and decodes the response into out. A nil body or out is left out.
func (c *client) call(method, target string, body any, status int, out any) response {
	c.t.Helper()
	request := gateway.Request{Account: c.account, Method: method, Target: target}
	if body != nil {
		request.Body = encode(c.t, body)
	}
	got := c.api.do(c.t, request)
	if got.status != status {
		c.t.Fatalf("%s %s: %d %s, want %d", method, target, got.status, got.body, status)
	}
	if out != nil {
		decode(c.t, got.body, out)
	}
	return got
}

func encode(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func decode(t *testing.T, text []byte, out any) {
	t.Helper()
	if err := json.Unmarshal(text, out); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}
