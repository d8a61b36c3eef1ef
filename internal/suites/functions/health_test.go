package functions_test

import (
	"encoding/json"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/health"
	"github.com/headgate/headgate/internal/health/schedule"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

// checks is a stack with a queue of checks.
type checks struct {
	*functions
	queue *sqs.Client
	url   string
}

func newChecks(t *testing.T, env ...string) *checks {
	t.Helper()
	c := &checks{functions: newFunctions(t), queue: sqs.NewFromConfig(machine.AWS.Config())}
	out, err := c.queue.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(c.Table)})
	if err != nil {
		t.Fatal(err)
	}
	c.url = *out.QueueUrl
	c.env = append(append(c.env, "CHECK_QUEUE_URL="+c.url, "HEALTH_RETAINED_MB=64", "HEALTH_DATABASE_METRICS=true"), env...)
	return c
}

// schedule invokes schedule-checks and returns the messages that it queued.
func (c *checks) schedule() (schedule.Scheduled, []events.SQSMessage) {
	c.t.Helper()
	event, err := os.ReadFile("../../../events/schedule-checks.json")
	if err != nil {
		c.t.Fatal(err)
	}
	var answer schedule.Scheduled
	if err := invoke(c.t, c.function("schedule-checks"), json.RawMessage(event), &answer); err != nil {
		c.t.Fatal(err)
	}
	var messages []events.SQSMessage
	for {
		out, err := c.queue.ReceiveMessage(c.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &c.url, MaxNumberOfMessages: 10})
		if err != nil {
			c.t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return answer, messages
		}
		for _, m := range out.Messages {
			messages = append(messages, events.SQSMessage{MessageId: *m.MessageId, Body: *m.Body})
		}
	}
}

// check invokes check-database and returns the messages that failed.
func (c *checks) check(messages ...events.SQSMessage) []string {
	c.t.Helper()
	var response events.SQSEventResponse
	if err := invoke(c.t, c.function("check-database"), events.SQSEvent{Records: messages}, &response); err != nil {
		c.t.Fatal(err)
	}
	var failed []string
	for _, f := range response.BatchItemFailures {
		failed = append(failed, f.ItemIdentifier)
	}
	return failed
}

// round queues and checks everything once.
func (c *checks) round() {
	c.t.Helper()
	_, messages := c.schedule()
	if failed := c.check(messages...); len(failed) > 0 {
		c.t.Fatalf("messages %v failed\n%s", failed, c.function("check-database").Logs())
	}
}

func message(t *testing.T, id string, refs ...database.Ref) events.SQSMessage {
	t.Helper()
	return events.SQSMessage{MessageId: id, Body: string(encode(t, health.Message{Databases: refs}))}
}

// healthResource is the answer of GET …/health.
type healthResource struct {
	Status string `json:"status"`
	Checks []struct {
		Name, Status, Code string
	} `json:"checks"`
	Slot struct {
		WALStatus     *string `json:"wal_status"`
		RetainedBytes *int64  `json:"retained_bytes"`
	} `json:"slot"`
}

func (h healthResource) codes() []string {
	var codes []string
	for _, c := range h.Checks {
		if c.Code != "" {
			codes = append(codes, c.Code)
		}
	}
	return codes
}

// TestHealth_LostSlot holds a slot back on a real server until it is lost.
func TestHealth_LostSlot(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgserver.Options{Settings: map[string]string{
		"max_slot_wal_keep_size": "256MB", "max_wal_size": "1GB", "checkpoint_timeout": "1h",
	}})
	c := newChecks(t)
	source := pgserver.Source{Database: "held", Username: "cdc", Password: sourcePassword, Publication: "pub", Slot: "held"}
	if err := server.CreateSource(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	payload := machine.Payload("orders", source)
	payload["port"] = server.Port()
	client := &client{t, c, "acme"}
	var created databaseResource
	client.call("POST", collection, payload, 201, &created)
	exec := func(sql string) {
		t.Helper()
		if _, err := server.Exec(t.Context(), "held", sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	retain := func(segments int) {
		t.Helper()
		for range segments { // of 16 MB
			exec("SELECT pg_logical_emit_message(false, 'fill', 'x'); SELECT pg_switch_wal()")
		}
	}
	var changes []string
	want := func(status string, codes ...string) healthResource {
		t.Helper()
		for range 2 { // the second check finds nothing new
			c.round()
		}
		var h healthResource
		client.call("GET", orders+"/health", nil, 200, &h)
		if h.Status != status || !slices.Equal(h.codes(), codes) {
			t.Fatalf("health %+v, want %s %v", h, status, codes)
		}
		if change := c.change("acme", created.ID); !slices.Contains(changes, change) {
			changes = append(changes, change)
		}
		return h
	}
	want("healthy")
	retain(6)
	held := want("degraded", "replication_slot_lagging")
	if held.Slot.RetainedBytes == nil || *held.Slot.RetainedBytes < 64<<20 {
		t.Errorf("slot %+v", held.Slot)
	}
	retain(16)
	exec("CHECKPOINT")
	if lost := want("failing", "replication_slot_invalidated"); lost.Slot.WALStatus == nil || *lost.Slot.WALStatus != "lost" {
		t.Errorf("slot %+v", lost.Slot)
	}
	exec("SELECT pg_drop_replication_slot('held'); SELECT pg_create_logical_replication_slot('held', 'pgoutput')")
	want("healthy")
	if len(changes) != 4 {
		t.Errorf("%d changes, want 4", len(changes))
	}
	c.wantMetrics(created.ID, changes)
}

// TestHealth_NewTable adds a table to a publication whose other tables were warned of at
// the registration for the same reason.
func TestHealth_NewTable(t *testing.T) {
	t.Parallel()
	c := newChecks(t)
	payload := newSource(t, "orders")
	source, _ := payload["database"].(string)
	publish := func(table string) {
		t.Helper()
		execute(t, source, "CREATE TABLE "+table+" (id int); ALTER PUBLICATION pub ADD TABLE "+table)
	}
	publish("nokey1")
	publish("nokey2")
	client := &client{t, c, "acme"}
	client.call("POST", collection, payload, 201, nil)
	want := func(status string, missing int) {
		t.Helper()
		c.round()
		var h healthResource
		client.call("GET", orders+"/health", nil, 200, &h)
		found := 0
		for _, e := range h.Checks {
			if e.Code == "replica_identity_missing" && e.Status == "warning" {
				found++
			}
		}
		if h.Status != status || found != missing {
			t.Errorf("health %+v, want %s with %d tables", h, status, missing)
		}
	}
	want("healthy", 2)
	publish("nokey3")
	want("degraded", 3)
	execute(t, source, "DROP TABLE nokey3")
	want("healthy", 2)
}

// change returns the change of the stored health.
func (c *checks) change(account, id string) string {
	c.t.Helper()
	out, err := c.DynamoDB.GetItem(c.t.Context(), &dynamodb.GetItemInput{TableName: &c.Table, Key: map[string]types.AttributeValue{
		"PK": &types.AttributeValueMemberS{Value: "account#" + account}, "SK": &types.AttributeValueMemberS{Value: "health#" + id},
	}})
	if err != nil {
		c.t.Fatal(err)
	}
	change, ok := out.Item["change"].(*types.AttributeValueMemberS)
	if !ok {
		c.t.Fatalf("item %v", out.Item)
	}
	return change.Value
}

// wantMetrics checks the lines of check-database: one for each change, and the metrics
// of each check.
func (c *checks) wantMetrics(id string, changes []string) {
	c.t.Helper()
	var changed []string
	checked, withMetrics := 0, 0
	for line := range strings.Lines(c.function("check-database").Logs()) {
		var l struct {
			Database, Status string
			Healthy, Checked *int
			RetainedBytes    *int64 `json:"retained_bytes"`
			AWS              *struct {
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
				}
			} `json:"_aws"`
		}
		if json.Unmarshal([]byte(line), &l) != nil {
			continue
		}
		switch {
		case l.Status != "" && l.Database == id:
			changed = append(changed, l.Status)
		case l.Healthy != nil && l.AWS != nil && l.Database == id:
			if m := l.AWS.CloudWatchMetrics; len(m) != 1 || !slices.Equal(m[0].Dimensions[0], []string{"database"}) {
				c.t.Errorf("metrics %s", line)
			}
			withMetrics++
		case l.Checked != nil:
			checked += *l.Checked
		}
	}
	if want := []string{"healthy", "degraded", "failing", "healthy"}; !slices.Equal(changed, want) || len(changes) != len(want) {
		c.t.Errorf("changes %v, want %v", changed, want)
	}
	if checked != 8 || withMetrics != 8 {
		c.t.Errorf("%d checks and %d lines of metrics, want 8", checked, withMetrics)
	}
}

func TestHealth_Messages(t *testing.T) {
	t.Parallel()
	c := newChecks(t)
	client := &client{t, c, "acme"}
	register := func(name string) database.Ref {
		t.Helper()
		var d databaseResource
		client.call("POST", collection, newSource(t, name), 201, &d)
		return database.Ref{Account: "acme", DatabaseID: d.ID}
	}
	status := func(name string) string {
		t.Helper()
		var h healthResource
		client.call("GET", collection+"/"+name+"/health", nil, 200, &h)
		return h.Status
	}
	good, deleted, hanging := register("good"), register("deleted"), register("hanging")
	register("disabled")
	client.call("PATCH", collection+"/disabled", map[string]any{"replication_slots": []any{map[string]any{"status": "disabled"}}}, 200, nil)
	// A server that accepts connections and never answers.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	_, port, _ := net.SplitHostPort(listener.Addr().String()) // of a listener's address
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	client.call("PATCH", collection+"/hanging?verify=false", map[string]any{"port": number}, 200, nil)

	t.Run("active slots are queued", func(t *testing.T) {
		answer, messages := c.schedule()
		if answer.Queued != 3 || len(messages) == 0 {
			t.Errorf("answer %+v and %d messages, want 3 databases", answer, len(messages))
		}
	})
	client.call("DELETE", collection+"/deleted", nil, 200, nil)
	t.Run("a poisoned message fails alone", func(t *testing.T) {
		poisoned := []events.SQSMessage{
			{MessageId: "text", Body: "poison"},
			{MessageId: "empty", Body: `{"databases":[]}`},
			{MessageId: "other", Body: `{"databases":[{"account_id":"../x","database_id":"y"}]}`},
		}
		if failed := c.check(append(poisoned, message(t, "fine", good))...); !slices.Equal(failed, []string{"text", "empty", "other"}) {
			t.Errorf("failed %v", failed)
		}
		if got := status("good"); got != "healthy" {
			t.Errorf("good is %s", got)
		}
	})
	t.Run("a database that was deleted is no failure", func(t *testing.T) {
		if failed := c.check(message(t, "gone", deleted)); len(failed) > 0 {
			t.Errorf("failed %v", failed)
		}
	})
	t.Run("a target that hangs delays no other for longer than its own limit", func(t *testing.T) {
		began := time.Now()
		if failed := c.check(message(t, "one", hanging, good), message(t, "two", hanging), message(t, "three", hanging)); len(failed) > 0 {
			t.Errorf("failed %v", failed)
		}
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("it took %s", took)
		}
		if a, b := status("good"), status("hanging"); a != "healthy" || b != "failing" {
			t.Errorf("good is %s, hanging is %s", a, b)
		}
	})
	t.Run("a disabled slot is not checked", func(t *testing.T) {
		if got := status("disabled"); got != "disabled" {
			t.Errorf("status %s", got)
		}
	})
	t.Run("a malformed variable stops the start", func(t *testing.T) {
		for function, variable := range map[string]string{
			"schedule-checks": "CHECK_QUEUE_URL=queue", "check-database": "HEALTH_SAFE_PERCENT=101",
		} {
			f, err := c.Start(t.Context(), function, append(slices.Clone(c.env), variable))
			if err == nil {
				f.Stop()
				t.Errorf("%s starts with %s", function, variable)
				continue
			}
			if name, _, _ := strings.Cut(variable, "="); !contains(err.Error(), name) {
				t.Errorf("error %v does not name %s", err, name)
			}
		}
	})
}
