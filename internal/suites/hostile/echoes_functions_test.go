package hostile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/testkit/bustest"
	"github.com/headgate/headgate/internal/testkit/deployment"
	"github.com/headgate/headgate/internal/testkit/gateway"
	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

// deployed is the built functions over moto, and the bus.
type deployed struct {
	*stack // for its failures
	*deployment.Stack
	bus       *bustest.Bus
	functions map[string]*runtimeapi.Function
}

func newDeployed(t *testing.T, names ...string) *deployed {
	t.Helper()
	aws, err := machine.get(t).NewStack(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d := &deployed{stack: newStack(t, loopback, ""), Stack: aws, bus: bustest.Start(t), functions: map[string]*runtimeapi.Function{}}
	env := append(aws.Env(machine.get(t).AWS.URL()), d.bus.Variable())
	for _, name := range names {
		f, err := aws.Start(t.Context(), name, env)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(f.Stop)
		d.functions[name] = f
	}
	return d
}

// invoke sends an event to a function and returns all that it answers, its error too.
func (d *deployed) invoke(t *testing.T, function string, event any) string {
	t.Helper()
	body, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	result, err := d.functions[function].Invoke(t.Context(), body)
	failure := new(runtimeapi.FunctionError)
	if err != nil && !errors.As(err, &failure) {
		t.Fatalf("%s: %v", function, err)
	}
	return string(result.Payload) + fmt.Sprint(err)
}

// request sends a request to the function behind the route.
func (d *deployed) request(t *testing.T, method, target string, payload any) string {
	t.Helper()
	r := gateway.Request{Account: account, Method: method, Target: target}
	if payload != nil {
		var err error
		if r.Body, err = json.Marshal(payload); err != nil {
			t.Fatal(err)
		}
	}
	function, event, err := gateway.Event(r)
	if err != nil {
		t.Fatal(err)
	}
	text := d.invoke(t, function, event)
	var out events.APIGatewayProxyResponse
	if err := json.Unmarshal([]byte(strings.TrimSuffix(text, "<nil>")), &out); err != nil || out.StatusCode >= 500 {
		total.add(serverErrors, 1)
		d.fail("5xx", "%s %s: %s", method, target, cut(text))
	}
	return text + " " + out.Body
}

// functionEchoes returns the places in which the built functions meet every form of
// the password: settings, roles, plugins and other names in the facts, SQLSTATEs, and
// the rows of a list.
func functionEchoes() []string {
	return []string{"facts", "facts that pass", "rows", "login refused with ", "statements refused with "}
}

// TestEchoes_Functions has the built functions talk to servers that repeat the
// password, and searches the table, the logs, the bus, and the errors that go to the
// dead-letter queue.
func TestEchoes_Functions(t *testing.T) {
	t.Parallel()
	o := newOracle(t, "a password")
	honest := (&pretender{oracle: o}).start(t)
	d := newDeployed(t, "create-database", "update-database", "test-database", "refresh-tables", "list-databases", "provision-database")
	for _, place := range echoes() {
		for i, form := range encodings() {
			// Each takes seven invocations: in places like those, every form is tried in this
			// process only.
			if !slices.Contains(functionEchoes(), place.name) && (i+len(place.name))%6 != 0 {
				continue
			}
			total.add(echoesTried, 1)
			text := form.encode(planted)
			server := (&pretender{oracle: o, alter: func(m moment, honest [][]byte) reply {
				return reply{messages: place.alter(text, m, honest)}
			}}).start(t)
			d.listenFor(t, place, form, server, honest, i)
			server.stop()
		}
	}
	contents, err := d.Contents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	items, err := contents.JSON()
	if err != nil || len(contents.Databases) == 0 {
		t.Fatalf("%d databases, error %v", len(contents.Databases), err)
	}
	d.search("the table", echo{}, encoding{}, items)
	for name, f := range d.functions {
		d.search("the log of "+name, echo{}, encoding{}, f.Logs())
		if peak := int(f.Memory().Peak); peak > 0 {
			t.Logf("%s: peak memory %d MiB", name, peak>>20)
		}
	}
}

func (d *deployed) listenFor(t *testing.T, place echo, form encoding, server, honest *pretender, number int) {
	t.Helper()
	name := fmt.Sprintf("%s-%d", strings.ReplaceAll(place.name, " ", "-"), number)
	payload := payloadOf(name, server.oracle.source, "127.0.0.1", server.port)
	payload["ssl"], payload["password"] = false, planted
	moved := gateway.Collection + "/" + name + "-moved"
	first := payloadOf(name+"-moved", honest.oracle.source, "127.0.0.1", honest.port)
	first["ssl"], first["password"] = false, planted
	answers := []string{
		d.request(t, "POST", gateway.Collection, payload), d.request(t, "POST", gateway.Collection, first),
		d.request(t, "PATCH", moved+"?verify=false", map[string]any{"port": server.port}),
		d.request(t, "POST", moved+"/test_connection", nil), d.request(t, "POST", moved+"/refresh_tables", nil),
		d.request(t, "GET", gateway.Collection, nil),
	}
	byEvent := payloadOf(name+"-event", server.oracle.source, "127.0.0.1", server.port)
	byEvent["ssl"], byEvent["password"] = false, planted
	detail, err := d.Share(t.Context(), account, "theirs-"+name+"-"+d.Table, byEvent)
	if err != nil {
		t.Fatal(err)
	}
	detail["account_id"] = account
	answers = append(answers, d.invoke(t, "provision-database", map[string]any{
		"version": "0", "id": name, "source": "acme", "detail-type": "Postgres Database Requested", "detail": detail,
	}))
	d.search("an answer", place, form, strings.Join(answers, "\n"))
	d.search("the bus", place, form, fmt.Sprint(d.bus.Take()))
}
