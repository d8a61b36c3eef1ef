package functions_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/bustest"
	"github.com/headgate/headgate/internal/testkit/deployment"
	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

// newProvisioning returns a stack whose functions put events on the bus.
func newProvisioning(t *testing.T) (*stack, *bustest.Bus) {
	t.Helper()
	s, b := newStack(t), bustest.Start(t)
	s.env = append(s.env, "EVENT_BUS_NAME=headgate", b.Variable())
	return s, b
}

// newDetail returns the detail of an event of the account acme that refers to a
// new secret with the payload's login.
func (s *stack) newDetail(payload map[string]any) map[string]any {
	s.t.Helper()
	detail, err := s.Share(s.t.Context(), "acme", "theirs-"+s.Table, payload)
	if err != nil {
		s.t.Fatal(err)
	}
	return with(detail, "account_id", "acme")
}

func requestEvent(id string, detail any) map[string]any {
	return map[string]any{
		"version": "0", "id": id, "source": "acme.platform", "detail-type": "Postgres Database Requested",
		"account": "123456789012", "region": "eu-west-1", "time": "2030-01-01T00:00:00Z", "resources": []string{}, "detail": detail,
	}
}

func TestProvision_RepeatedEvent(t *testing.T) {
	t.Parallel()
	s, b := newProvisioning(t)
	detail := s.newDetail(newSource(t, "orders"))
	const atOnce, deliveries = 5, 20
	var functions []*runtimeapi.Function
	for range atOnce {
		functions = append(functions, s.function("provision-database"))
	}
	var workers sync.WaitGroup
	for i, f := range functions {
		workers.Go(func() {
			for range deliveries / atOnce {
				if err := invoke(t, f, requestEvent("event-1", detail), new(any)); err != nil {
					t.Errorf("function %d: %v", i, err)
				}
			}
		})
	}
	workers.Wait()
	if put := b.Take(); len(put) != 0 {
		t.Errorf("put %+v: publish-changes tells of what was created", put)
	}
	s.wantReference()
	c, items := s.contents()
	var d database.Database
	decode(t, []byte(deployment.Text(c.Databases[0]["document"])), &d)
	if d.ChangedBy != (database.Origin{RequestID: "event-1"}) || d.Account != "acme" || d.Endpoint.PasswordSecretARN != detail["password_secret_arn"] {
		t.Errorf("database %+v", d)
	}
	wantAbsent(t, sourcePassword, items, functions[0].Logs())
}

func TestProvision_RejectedEvent(t *testing.T) {
	t.Parallel()
	s, b := newProvisioning(t)
	f := s.function("provision-database")
	detail := s.newDetail(newSource(t, "orders"))
	for i, tt := range []struct {
		name   string
		detail any
		want   []string
	}{
		{"a password in the detail", with(detail, "password", "p"), []string{`"code":"invalid_payload"`, `"password":["must not be in an event`}},
		{"a URL in the detail", with(detail, "url", "postgres://u:w@h/d"), []string{`"url":["must not be in an event`}},
		{"a primary's password", with(detail, "primary", map[string]any{"hostname": "h", "database": "d", "password": "p"}), []string{`"primary.password":["must not be in an event`}},
		{"no account", with(detail, "account_id", nil), []string{`"account_id":["is required"]`}},
		{"a secret that is shared with another account", with(detail, "account_id", "globex"), []string{`"password_secret_arn":["names no secret that is shared`}},
		{"a missing slot", with(detail, "replication_slots", []any{map[string]any{"publication_name": "pub", "slot_name": "nope"}}), []string{`"code":"replication_slot_not_found"`, `"checks":[`, `"name":"orders"`}},
		{"a detail that is not an object", "text", []string{`"code":"invalid_payload"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id := fmt.Sprintf("event-%d", i)
			if err := invoke(t, f, requestEvent(id, tt.detail), new(any)); err != nil {
				t.Fatal(err)
			}
			put := b.Take()
			if len(put) != 1 || put[0].DetailType != "Postgres Database Rejected" {
				t.Fatalf("put %+v", put)
			}
			if !contains(put[0].Detail, append(tt.want, `"request_id":"`+id+`"`)...) {
				t.Errorf("detail %s, want %q in it", put[0].Detail, tt.want)
			}
		})
	}
	s.wantEmpty()
}

func TestProvision_FailedPut(t *testing.T) {
	t.Parallel()
	s, b := newProvisioning(t)
	f := s.function("provision-database")
	event := requestEvent("event-1", with(s.newDetail(newSource(t, "orders")), "password", "p"))
	b.Fail(true)
	if err := invoke(t, f, event, new(any)); err == nil {
		t.Error("the event counts as handled")
	}
	b.Fail(false)
	err := invoke(t, f, event, new(any))
	if put := b.Take(); err != nil || len(put) != 1 {
		t.Errorf("the next delivery: error %v, %d events put", err, len(put))
	}
	s.wantEmpty()
}

func TestPasswordSecret_Rotation(t *testing.T) {
	t.Parallel()
	f := newFunctions(t)
	payload := newSource(t, "orders")
	detail := f.newDetail(payload)
	delete(detail, "account_id")
	secret := aws.String(detail["password_secret_arn"].(string))
	c := &client{t, f, "acme"}
	c.call("POST", collection, detail, 201, nil)
	execute(t, "postgres", "ALTER ROLE "+payload["username"].(string)+" PASSWORD 'rotated'")
	c.call("POST", orders+"/test_connection", nil, 422, nil)
	if _, err := f.Secrets.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: secret, SecretString: aws.String(fmt.Sprintf(`{"host":%q,"port":%v,"username":%q,"password":"rotated"}`, payload["hostname"], payload["port"], payload["username"])),
	}); err != nil {
		t.Fatal(err)
	}
	c.call("POST", orders+"/test_connection", nil, 200, nil)
	c.call("DELETE", orders, nil, 200, nil)
	if _, err := f.Secrets.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: secret}); err != nil {
		t.Errorf("after a delete the secret of the customer: %v", err)
	}
}
