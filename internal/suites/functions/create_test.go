package functions_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

func TestACreateKeepsAnItemAndASecret(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	f := s.function("create-database")
	payload := source(t, "orders")
	var answer events.APIGatewayProxyResponse
	if err := invoke(t, f, post(t, "acme", payload), &answer); err != nil {
		t.Fatal(err)
	}
	var object database.Object
	if err := json.Unmarshal([]byte(answer.Body), &object); err != nil || answer.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", answer.StatusCode, answer.Body)
	}
	if object.Name != "orders" || object.Password != database.Mask || len(object.ReplicationSlots) != 1 {
		t.Errorf("object %s", answer.Body)
	}
	if want := "/v1/api/postgres_databases/" + object.ID; answer.Headers["Location"] != want {
		t.Errorf("Location %q, want %q", answer.Headers["Location"], want)
	}
	if answer.Headers["X-Request-Id"] != "request-1" || answer.Headers["Cache-Control"] != "no-store" {
		t.Errorf("headers %v", answer.Headers)
	}
	s.hasItem("account#acme", "database#"+object.ID)
	s.hasItem("account#acme", "name#orders")
	s.hasSecret("acme", object.ID, payload)

	again := post(t, "acme", payload)
	if err := invoke(t, f, again, &answer); err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(answer.Body, `"name_taken"`) {
		t.Errorf("the same name again: %d %s", answer.StatusCode, answer.Body)
	}
	if len(s.secrets()) != 1 {
		t.Errorf("secrets %v", s.secrets())
	}
	s.nowhere("the password", sourcePassword, s.dump(), f.Logs(), answer.Body)
}

func (s *stack) hasItem(pk, sk string) {
	s.t.Helper()
	out, err := s.dynamodb().GetItem(s.t.Context(), &dynamodb.GetItemInput{
		TableName: &s.table,
		Key:       map[string]types.AttributeValue{"PK": &types.AttributeValueMemberS{Value: pk}, "SK": &types.AttributeValueMemberS{Value: sk}},
	})
	if err != nil || len(out.Item) == 0 {
		s.t.Errorf("no item %s %s (%v)", pk, sk, err)
	}
}

// hasSecret looks for the secret in the form that RDS Proxy reads, with the
// tags by which it is told whose it is.
func (s *stack) hasSecret(account, id string, payload map[string]any) {
	s.t.Helper()
	name := s.prefix + "/" + account + "/" + id
	value, err := s.secretsManager().GetSecretValue(s.t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &name})
	if err != nil {
		s.t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(*value.SecretString), &got); err != nil {
		s.t.Fatal(err)
	}
	want := map[string]any{
		"engine": "postgres", "host": payload["hostname"], "port": payload["port"], "username": payload["username"],
		"password": payload["password"], "dbname": payload["database"],
	}
	for k, v := range want {
		if fmt.Sprint(got[k]) != fmt.Sprint(v) {
			s.t.Errorf("the secret's %s is another", k)
		}
	}
	if len(got) != len(want) {
		s.t.Errorf("the secret has %d members, want %d", len(got), len(want))
	}
	d, err := s.secretsManager().DescribeSecret(s.t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &name})
	if err != nil {
		s.t.Fatal(err)
	}
	tags := map[string]string{}
	for _, tag := range d.Tags {
		tags[*tag.Key] = *tag.Value
	}
	for k, v := range map[string]string{"headgate:table": s.table, "headgate:account": account, "headgate:database": id} {
		if tags[k] != v {
			s.t.Errorf("tag %s is %q, want %q", k, tags[k], v)
		}
	}
}

// nowhere looks for a secret, also as JSON would write it.
func (s *stack) nowhere(what, secret string, texts ...string) {
	s.t.Helper()
	quoted, err := json.Marshal(secret)
	if err != nil {
		s.t.Fatal(err)
	}
	for i, text := range texts {
		if strings.Contains(text, secret) || strings.Contains(text, strings.Trim(string(quoted), `"`)) {
			s.t.Errorf("%s is in text %d", what, i)
		}
	}
}

func TestShowSensitiveShowsThePasswordOnce(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	f := s.function("create-database")
	e := post(t, "acme", source(t, "orders"))
	e.MultiValueQueryStringParameters = map[string][]string{"show_sensitive": {"true"}}
	var answer events.APIGatewayProxyResponse
	if err := invoke(t, f, e, &answer); err != nil {
		t.Fatal(err)
	}
	var object database.Object
	if err := json.Unmarshal([]byte(answer.Body), &object); err != nil || object.Password != sourcePassword {
		t.Errorf("status %d, and the password is not shown", answer.StatusCode)
	}
	s.nowhere("the password", sourcePassword, f.Logs())
}

func TestADryRunKeepsNothing(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	f := s.function("create-database")
	e := post(t, "acme", source(t, "orders"))
	e.QueryStringParameters = map[string]string{"dry_run": "true"}
	var answer events.APIGatewayProxyResponse
	if err := invoke(t, f, e, &answer); err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK || !strings.HasPrefix(answer.Body, `{"success":true,"checks":[{"name":"address"`) {
		t.Errorf("%d %s", answer.StatusCode, answer.Body)
	}
	if s.dump() != "[]" || len(s.secrets()) != 0 {
		t.Error("something was kept")
	}
}

func TestARefusedCreateLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	f := s.function("create-database")
	good := source(t, "orders")
	refusals := []struct {
		name    string
		payload map[string]any
		code    string
	}{
		{"a slot that is not there", with(good, "replication_slots", []any{map[string]any{"publication_name": "pub", "slot_name": "nope"}}), "replication_slot_not_found"},
		{"a wrong password", with(good, "password", "wrong"), "authentication_failed"},
		{"an address that is not allowed", with(good, "hostname", "169.254.169.254"), "address_not_allowed"},
		{"a payload that is not valid", with(good, "port", "x"), "invalid_payload"},
	}
	for _, r := range refusals {
		var answer events.APIGatewayProxyResponse
		if err := invoke(t, f, post(t, "acme", r.payload), &answer); err != nil {
			t.Fatal(err)
		}
		var body struct {
			Code             string              `json:"code"`
			ValidationErrors map[string][]string `json:"validation_errors"`
			Checks           check.Report        `json:"checks"`
		}
		if err := json.Unmarshal([]byte(answer.Body), &body); err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != http.StatusUnprocessableEntity || body.Code != r.code || body.ValidationErrors == nil {
			t.Errorf("%s: %d %s", r.name, answer.StatusCode, answer.Body)
		}
		if s.dump() != "[]" || len(s.secrets()) != 0 {
			t.Errorf("%s: something was kept", r.name)
		}
		s.nowhere("the password", sourcePassword, answer.Body)
	}
}

func with(payload map[string]any, field string, value any) map[string]any {
	p := map[string]any{}
	for k, v := range payload {
		p[k] = v
	}
	p[field] = value
	return p
}
