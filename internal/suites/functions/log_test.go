package functions_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

// line waits for the one line of a function's log that has this message.
func line(t *testing.T, f *runtimeapi.Function, message string) map[string]any {
	t.Helper()
	var found []map[string]any
	eventually(t, 10*time.Second, "the line "+message, func() bool {
		found = nil
		for text := range strings.Lines(f.Logs()) {
			var members map[string]any
			if json.Unmarshal([]byte(text), &members) == nil && members["message"] == message {
				found = append(found, members)
			}
		}
		return len(found) > 0
	})
	if len(found) != 1 {
		t.Fatalf("%d lines in %s", len(found), f.Logs())
	}
	return found[0]
}

// wantMetrics checks that a line has the duration and a database that was created
// as metrics of the stack prod.
func wantMetrics(t *testing.T, line map[string]any) {
	t.Helper()
	metrics, err := json.Marshal(line["_aws"])
	if err != nil || strings.Count(string(metrics), `"Namespace":"headgate/prod"`) != 2 || line["created"] != 1.0 {
		t.Errorf("metrics %s (%v)", metrics, err)
	}
}

func TestLog_Functions(t *testing.T) {
	t.Parallel()
	t.Run("a request has one line with its ID, the database's and the stack's metrics", func(t *testing.T) {
		t.Parallel()
		s := newStack(t)
		s.env = append(s.env, "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/prod/create-database")
		f := s.function("create-database")
		var answer events.APIGatewayProxyResponse
		e := post(t, "acme", source(t, "orders"))
		e.RequestContext.Authorizer["key_id"] = "0123456789abcdef"
		if err := invoke(t, f, e, &answer); err != nil {
			t.Fatal(err)
		}
		var object database.Object
		if err := json.Unmarshal([]byte(answer.Body), &object); err != nil || answer.StatusCode != http.StatusCreated {
			t.Fatalf("%d %s", answer.StatusCode, answer.Body)
		}
		line := line(t, f, "request")
		if line["request_id"] != answer.Headers["X-Request-Id"] || line["database"] != object.ID || line["key_id"] != "0123456789abcdef" {
			t.Errorf("line %v", line)
		}
		wantMetrics(t, line)
	})
	t.Run("an event has one line with its ID, the database's and the stack's metrics", func(t *testing.T) {
		t.Parallel()
		s, b := provisioning(t)
		s.env = append(s.env, "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/prod/provision-database")
		f := s.function("provision-database")
		if err := invoke(t, f, request("event-1", s.shared("acme", source(t, "orders"))), new(any)); err != nil {
			t.Fatal(err)
		}
		line := line(t, f, "event")
		database, _ := line["database"].(string)
		if line["request_id"] != "event-1" || line["outcome"] != "created" || database == "" || !strings.Contains(b.events()[0].Detail, database) {
			t.Errorf("line %v", line)
		}
		wantMetrics(t, line)
	})
}
