package functions_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

// cloudFormation sends the requests of one resource as CloudFormation does.
type cloudFormation struct {
	*stack
	bucket   *bucket
	function *runtimeapi.Function
}

func newCloudFormation(t *testing.T) *cloudFormation {
	t.Helper()
	c := &cloudFormation{stack: newStack(t), bucket: newBucket(t)}
	c.env = append(c.env, c.bucket.env...)
	c.function = c.stack.function("provision-resource")
	return c
}

const stackID = "arn:aws:cloudformation:us-east-1:123456789012:stack/sources/5b918d10-cd98-11ea-90d5-0a9cd3354c10"

// properties returns the properties that register a payload: its password by
// reference, and every number and boolean as a string.
func (c *cloudFormation) properties(payload map[string]any) map[string]any {
	c.t.Helper()
	p, err := c.Share(c.t.Context(), "acme", "theirs-"+uuid.NewString(), payload)
	if err != nil {
		c.t.Fatal(err)
	}
	return with(asStrings(p).(map[string]any), "AccountId", "acme")
}

func asStrings(value any) any {
	switch v := value.(type) {
	case map[string]any:
		m := map[string]any{}
		for name, element := range v {
			m[name] = asStrings(element)
		}
		return m
	case []map[string]any:
		var list []any
		for _, element := range v {
			list = append(list, asStrings(element))
		}
		return list
	case []any:
		var list []any
		for _, element := range v {
			list = append(list, asStrings(element))
		}
		return list
	case string:
		return v
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return string(text)
}

func request(kind cfn.RequestType, physicalID string, properties, before map[string]any) cfn.Event {
	return cfn.Event{
		RequestType: kind, RequestID: uuid.NewString(), ResponseURL: "https://" + bucketHost + "/answer?X-Amz-Signature=presigned",
		ResourceType: "Custom::PostgresDatabase", LogicalResourceID: "Orders", StackID: stackID, PhysicalResourceID: physicalID,
		ResourceProperties:    with(properties, "ServiceToken", "arn:aws:lambda:us-east-1:123456789012:function:provision-resource"),
		OldResourceProperties: before,
	}
}

// send sends a request and returns the answer.
func (c *cloudFormation) send(e cfn.Event) cfn.Response {
	c.t.Helper()
	if err := invoke(c.t, c.function, e, new(any)); err != nil {
		c.t.Fatal(err)
	}
	answer := c.bucket.take(c.t)
	if answer.RequestID != e.RequestID || answer.StackID != e.StackID || answer.LogicalResourceID != e.LogicalResourceID || answer.PhysicalResourceID == "" {
		c.t.Errorf("answer %+v to %+v", answer, e)
	}
	return answer
}

// succeed sends a request that must succeed, and returns the physical ID.
func (c *cloudFormation) succeed(e cfn.Event) string {
	c.t.Helper()
	answer := c.send(e)
	if answer.Status != cfn.StatusSuccess {
		c.t.Fatalf("answer %+v", answer)
	}
	return answer.PhysicalResourceID
}

// fail sends a request that must fail with a reason that has the parts.
func (c *cloudFormation) fail(e cfn.Event, parts ...string) string {
	c.t.Helper()
	answer := c.send(e)
	if answer.Status != cfn.StatusFailed || !contains(answer.Reason, parts...) || len(answer.Reason) > 1024 {
		c.t.Fatalf("answer %+v, want the reason with %q", answer, parts)
	}
	return answer.PhysicalResourceID
}

// wantNone fails the test if a database or a secret of ours is stored.
func (c *cloudFormation) wantNone() {
	c.t.Helper()
	if contents, _ := c.contents(); len(contents.Databases) != 0 || len(contents.Secrets) != 0 {
		c.t.Errorf("databases %v and secrets %v, want none", contents.Databases, contents.Secrets)
	}
}

func TestResource_Life(t *testing.T) {
	t.Parallel()
	c := newCloudFormation(t)
	properties := c.properties(newSource(t, "orders"))
	create := request(cfn.RequestCreate, "", properties, nil)
	answer := c.send(create)
	id := answer.PhysicalResourceID
	if answer.Status != cfn.StatusSuccess || answer.Data["Id"] != id || answer.Data["Name"] != "orders" || answer.Data["SecretArn"] != properties["password_secret_arn"] {
		t.Fatalf("answer %+v", answer)
	}
	if again := c.succeed(create); again != id {
		t.Errorf("the request delivered twice has the ID %s, want %s", again, id)
	}
	renamed := with(with(properties, "name", "renamed"), "annotations", map[string]any{"team": "7"})
	renamed["primary"] = map[string]any{"hostname": "primary.example.com", "database": "d", "username": "u", "password_secret_arn": properties["password_secret_arn"]}
	c.fail(request(cfn.RequestUpdate, id, renamed, properties), "primary")
	delete(renamed, "primary")
	renamed["replication_slots"] = []any{with(renamed["replication_slots"].([]any)[0].(map[string]any), "status", "disabled")}
	if updated := c.succeed(request(cfn.RequestUpdate, id, renamed, properties)); updated != id {
		t.Errorf("ID %s after an update, want %s", updated, id)
	}
	if _, items := c.contents(); !contains(items, `renamed`, `team`, `disabled`) {
		t.Errorf("items %s", items)
	}
	c.succeed(request(cfn.RequestUpdate, id, properties, renamed)) // a rollback
	if _, items := c.contents(); contains(items, `team`) || contains(items, `disabled`) {
		t.Errorf("items %s after the rollback", items)
	}
	c.wantReference()
	for range 2 {
		c.succeed(request(cfn.RequestDelete, id, properties, nil))
	}
	c.wantNone()
	wantAbsent(t, sourcePassword, c.function.Logs())
	wantAbsent(t, "presigned", c.function.Logs())
}

func TestResource_AnotherAccountReplacesTheDatabase(t *testing.T) {
	t.Parallel()
	c := newCloudFormation(t)
	payload := newSource(t, "orders")
	properties := c.properties(payload)
	id := c.succeed(request(cfn.RequestCreate, "", properties, nil))
	moved := with(properties, "AccountId", "other")
	c.fail(request(cfn.RequestUpdate, id, moved, properties), "password_secret_arn")
	shared, err := c.Share(t.Context(), "other", "others-"+uuid.NewString(), payload)
	if err != nil {
		t.Fatal(err)
	}
	moved["password_secret_arn"] = shared["password_secret_arn"]
	replacement := c.succeed(request(cfn.RequestUpdate, id, moved, properties))
	if replacement == id {
		t.Error("the replacement has the same ID")
	}
	c.succeed(request(cfn.RequestDelete, id, properties, nil))
	c.wantReference()
	c.succeed(request(cfn.RequestDelete, replacement, moved, nil))
	c.wantNone()
}

func TestResource_FailedCreateIsDeleted(t *testing.T) {
	t.Parallel()
	c := newCloudFormation(t)
	properties := c.properties(newSource(t, "orders"))
	slot := []any{map[string]any{"publication_name": "pub", "slot_name": "missing"}}
	for _, tt := range []struct {
		name       string
		properties map[string]any
		reason     []string
	}{
		{"a target that fails a check", with(properties, "replication_slots", slot), []string{"missing", "fix: SELECT pg_create_logical_replication_slot"}},
		{"a password", with(properties, "password", "p"), []string{"password must not be a property"}},
		{"a URL", with(properties, "url", "postgres://u:p@h/d"), []string{"url must not be a property"}},
		{"an unknown property", with(properties, "hostnam", "h"), []string{`hostnam`, `hostname`}},
		{"no account", without(properties, "AccountId"), []string{"AccountId is required"}},
		{"a port that is not a number", with(properties, "port", "many"), []string{"port"}},
	} {
		e := request(cfn.RequestCreate, "", tt.properties, nil)
		id := c.fail(e, tt.reason...)
		c.succeed(request(cfn.RequestDelete, id, tt.properties, nil))
	}
	c.succeed(request(cfn.RequestDelete, "sources-Orders-1ABCDEFGHIJKL", properties, nil)) // an ID that CloudFormation made
	c.wantNone()
}

func TestResource_AnswerThatIsLost(t *testing.T) {
	t.Parallel()
	c := newCloudFormation(t)
	properties := c.properties(newSource(t, "orders"))
	t.Run("is sent again", func(t *testing.T) {
		c.bucket.setRefuse(2)
		c.succeed(request(cfn.RequestCreate, "", properties, nil))
	})
	t.Run("leads a delete to the database by the request's ID", func(t *testing.T) {
		other := c.properties(newSource(t, "other"))
		create := request(cfn.RequestCreate, "", other, nil)
		c.succeed(create)
		c.succeed(request(cfn.RequestDelete, "unregistered-"+create.RequestID, other, nil))
		if contents, _ := c.contents(); len(contents.Databases) != 1 {
			t.Errorf("%d databases, want 1", len(contents.Databases))
		}
	})
}

func TestResource_OfSomebodyElse(t *testing.T) {
	t.Parallel()
	c := newCloudFormation(t)
	properties := c.properties(newSource(t, "orders"))
	for name, url := range map[string]string{
		"another host":         "https://example.com/answer",
		"another bucket":       "https://mine.s3.us-east-1.amazonaws.com/answer",
		"a name that ends so":  "https://cloudformation-custom-resource-response-useast1.s3.example.com/?.amazonaws.com",
		"a longer domain":      "https://cloudformation-custom-resource-response-useast1.s3.notamazonaws.com/answer",
		"a longer domain, -":   "https://cloudformation-custom-resource-response-useast1.s3-notamazonaws.com/answer",
		"another AWS service":  "https://cloudformation-custom-resource-response-x.execute-api.us-east-1.amazonaws.com/",
		"without TLS":          "http://" + bucketHost + "/answer",
		"another port":         "https://" + bucketHost + ":8443/answer",
		"a name that is a URL": "https://user@" + bucketHost + "/answer",
	} {
		t.Run("gets no answer: "+name, func(t *testing.T) {
			e := request(cfn.RequestCreate, "", properties, nil)
			e.ResponseURL = url
			if err := invoke(t, c.function, e, new(any)); err != nil {
				t.Errorf("error %v", err)
			}
		})
	}
	e := request(cfn.RequestCreate, "", properties, nil)
	e.StackID = strings.Replace(stackID, "123456789012", "210987654321", 1)
	c.fail(e, "only stacks of the AWS account")
	c.wantNone()
}

// without returns a copy of a payload that lacks a field.
func without(payload map[string]any, field string) map[string]any {
	p := maps.Clone(payload)
	delete(p, field)
	return p
}
