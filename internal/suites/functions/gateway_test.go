package functions_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/apikey"
	"github.com/headgate/headgate/internal/devserver"
	"github.com/headgate/headgate/internal/egress"
	"github.com/headgate/headgate/internal/httpapi"
	"github.com/headgate/headgate/internal/testkit/openapitest"
	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

// answer is what came back for a request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// api is the API, however it is served. Accounts other than the first one's are
// reached only where there are several.
type api interface {
	do(t *testing.T, account, method, target string, header map[string]string, body []byte) answer
}

// gateway is what API Gateway does: it picks a route's function and hands it the
// authorizer's account.
type gateway struct {
	stack     *stack
	contract  *openapitest.Contract
	mu        sync.Mutex
	functions map[string]*runtimeapi.Function
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	return &gateway{stack: newStack(t), contract: contract(t), functions: map[string]*runtimeapi.Function{}}
}

func (g *gateway) function(name string) *runtimeapi.Function {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.functions[name] == nil {
		g.functions[name] = g.stack.function(name)
	}
	return g.functions[name]
}

// route finds the function and the resource of a request.
func route(method, path string) (function, resource string, params map[string]string) {
	for _, r := range httpapi.Routes() {
		want, have := strings.Split(r.Path, "/"), strings.Split(path, "/")
		if r.Method != method || len(want) != len(have) {
			continue
		}
		params = map[string]string{}
		same := true
		for i := range want {
			if strings.HasPrefix(want[i], "{") {
				params[strings.Trim(want[i], "{}")] = have[i]
			} else if want[i] != have[i] {
				same = false
			}
		}
		if same {
			return string(r.Operation), r.Path, params
		}
	}
	return "not-found", "/{proxy+}", map[string]string{"proxy": strings.TrimPrefix(path, "/")}
}

func (g *gateway) do(t *testing.T, account, method, target string, header map[string]string, body []byte) answer {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	name, resource, params := route(method, u.Path)
	e := events.APIGatewayProxyRequest{
		Resource: resource, Path: u.Path, HTTPMethod: method, PathParameters: params,
		Headers: header, Body: string(body), MultiValueQueryStringParameters: u.Query(),
	}
	e.RequestContext.RequestID = "request"
	e.RequestContext.Path = u.Path
	e.RequestContext.Authorizer = map[string]any{"account_id": account}
	var out events.APIGatewayProxyResponse
	if err := invoke(t, g.function(name), e, &out); err != nil {
		t.Fatal(err)
	}
	g.contract.Event(t, e, out)
	h := http.Header{}
	for k, v := range out.Headers {
		h.Set(k, v)
	}
	return answer{out.StatusCode, h, []byte(out.Body)}
}

// contract is the OpenAPI document, which every exchange is held against.
func contract(t *testing.T) *openapitest.Contract {
	t.Helper()
	c, err := openapitest.New()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// local is the development server.
type local struct {
	url    string
	client *http.Client
}

const localKey = "local-key"

func newLocal(t *testing.T) *local {
	t.Helper()
	policy, err := egress.New("127.0.0.0/8,::1/128", "")
	if err != nil {
		t.Fatal(err)
	}
	server, err := devserver.Start(devserver.Config{
		DataFile: filepath.Join(t.TempDir(), "headgate.db"), Key: apikey.Text(localKey), Egress: policy,
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return &local{server.URL(), &http.Client{Transport: contract(t).Transport(t, http.DefaultTransport)}}
}

func (l *local) do(t *testing.T, _, method, target string, header map[string]string, body []byte) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, l.url+target, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		request.Header.Set(k, v)
	}
	request.Header.Set("Authorization", "Bearer "+localKey)
	response, err := l.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
	}()
	out, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, out}
}

// client is a typed client of the API, written from its contract alone.
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

// call sends v and reads the answer into out where its status is want.
func (c *client) call(method, target string, v any, want int, out any) answer {
	c.t.Helper()
	var body []byte
	header := map[string]string{}
	if v != nil {
		var err error
		if body, err = json.Marshal(v); err != nil {
			c.t.Fatal(err)
		}
		header["Content-Type"] = "application/json"
	}
	a := c.api.do(c.t, c.account, method, target, header, body)
	if a.status != want {
		c.t.Fatalf("%s %s: %d %s, want %d", method, target, a.status, a.body, want)
	}
	if out != nil {
		if err := json.Unmarshal(a.body, out); err != nil {
			c.t.Fatalf("%v: %s", err, a.body)
		}
	}
	return a
}

const collection = "/api/postgres_databases"
