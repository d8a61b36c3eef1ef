// Package changes_test checks that every change of a database is an event on the bus:
// the built functions against moto and Postgres, with faults in between.
package changes_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/testkit/deployment"
	"github.com/headgate/headgate/internal/testkit/gateway"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/runtimeapi"
	"github.com/headgate/headgate/internal/testkit/stream"
)

// operations is how many random operations TestChanges_RandomOperations makes.
var operations = flag.Int("operations", 100, "number of random operations")

// machine has the servers and the functions that all tests share, source what every
// database refers to.
var (
	machine *deployment.Machine
	source  = pgserver.Source{Database: "source", Username: "cdc", Password: password, Publication: "pub", Slot: "slot"}
)

const (
	account  = "acme"
	password = "s3cret-of-the-source"
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(deployment.Main(m, pgserver.Options{Settings: map[string]string{"max_wal_senders": "50"}}, func(m *deployment.Machine) {
		machine = m
		if err := m.Postgres.CreateSource(context.Background(), source); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}))
}

// world is a stack with a bus, and the mapping between its table and publish-changes.
type world struct {
	*deployment.Stack
	t       *testing.T
	env     []string
	bus     *bus
	mapping *stream.Mapping

	mu      sync.Mutex
	running map[string]*runtimeapi.Function
	logs    strings.Builder

	invocations, crashes int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := machine.NewStack(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Stack: s, t: t, running: map[string]*runtimeapi.Function{}}
	if w.mapping, err = stream.Open(t.Context(), machine.AWS.URL(), s.Table); err != nil {
		t.Fatal(err)
	}
	w.bus = newBus(t, w.crash)
	w.env = append(s.Env(machine.AWS.URL()), "AWS_ENDPOINT_URL_EVENTBRIDGE="+w.bus.url)
	t.Cleanup(func() {
		for name := range w.running {
			w.stop(name)
		}
	})
	return w
}

// function returns a running function.
func (w *world) function(name string) *runtimeapi.Function {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running[name] == nil {
		f, err := w.Start(w.t.Context(), name, w.env)
		if err != nil {
			w.t.Fatal(err)
		}
		w.running[name] = f
	}
	return w.running[name]
}

// stop kills a function. The next one is another process.
func (w *world) stop(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f := w.running[name]; f != nil {
		f.Stop()
		w.logs.WriteString(f.Logs())
		w.running[name] = nil
	}
}

const publisher = "publish-changes"

// crash kills publish-changes.
func (w *world) crash() {
	w.crashes++
	w.stop(publisher)
}

// invoke invokes a function with an event in any form.
func (w *world) invoke(name string, event any) ([]byte, error) {
	text, ok := event.([]byte)
	if !ok {
		var err error
		if text, err = json.Marshal(event); err != nil {
			return nil, err
		}
	}
	result, err := w.function(name).Invoke(w.t.Context(), text)
	if err != nil {
		return nil, err
	}
	if result.FunctionError != nil {
		return nil, result.FunctionError
	}
	return result.Payload, nil
}

// deliver makes one invocation of publish-changes, and reports whether there was a
// record for it. Its failure is no error: the records come again.
func (w *world) deliver() bool {
	more, err := w.mapping.Deliver(w.t.Context(), func(_ context.Context, event []byte) ([]byte, error) {
		w.invocations++
		return w.invoke(publisher, event)
	})
	if err != nil && !more {
		w.t.Fatal(err)
	}
	return more
}

// drain delivers every record without faults.
func (w *world) drain() {
	w.bus.setFaults(nil)
	for w.deliver() {
		continue
	}
}

// call sends a request under an ID and returns the response, an error if the function
// was killed.
func (w *world) call(requestID, method, path string, body any) (int, map[string]any, error) {
	w.t.Helper()
	text, err := json.Marshal(body)
	if err != nil || body == nil {
		text = nil
	}
	name, event, err := gateway.Event(gateway.Request{Method: method, Target: path, Body: text, Authorizer: map[string]any{
		"account_id": account, "key_id": "0123456789abcdef", "scopes": "read,write,reveal",
	}})
	if err != nil {
		return 0, nil, err
	}
	event.RequestContext.RequestID = requestID
	out, err := w.invoke(name, event)
	if err != nil {
		return 0, nil, err
	}
	var response events.APIGatewayProxyResponse
	if err := json.Unmarshal(out, &response); err != nil {
		return 0, nil, err
	}
	var object map[string]any
	err = json.Unmarshal([]byte(response.Body), &object)
	return response.StatusCode, object, err
}

func (w *world) mustCall(requestID, method, path string, body any, status int) map[string]any {
	w.t.Helper()
	got, object, err := w.call(requestID, method, path, body)
	if err != nil || got != status {
		w.t.Fatalf("%s %s: status %d, %v, error %v", method, path, got, object, err)
	}
	return object
}

// failing returns faults that occur with a probability of one in n.
func failing(random *rand.Rand, n int) func() fault {
	return func() fault {
		if random.IntN(n) > 0 {
			return passed
		}
		return allFaults()[random.IntN(len(allFaults()))]
	}
}

// figures prints a table to the test's output, which make test-changes shows.
func figures(out io.Writer, rows ...any) {
	for i := 0; i+1 < len(rows); i += 2 {
		fmt.Fprintf(out, "%-42s %v\n", rows[i], rows[i+1])
	}
}
