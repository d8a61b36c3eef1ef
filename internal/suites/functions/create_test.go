package functions_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/gateway"
)

func TestCreateDatabase_Stored(t *testing.T) {
	t.Parallel()
	f := newFunctions(t)
	c := &client{t, f, "acme"}
	payload := newSource(t, "orders")
	var object database.Object
	created := c.call("POST", collection, payload, http.StatusCreated, &object)
	if object.Name != "orders" || object.Password != database.Mask || len(object.ReplicationSlots) != 1 {
		t.Errorf("object %s", created.body)
	}
	if want := gateway.Stage + collection + "/" + object.ID; created.header.Get("Location") != want {
		t.Errorf("Location %q, want %q", created.header.Get("Location"), want)
	}
	if created.header.Get("X-Request-Id") != gateway.RequestID || created.header.Get("Cache-Control") != "no-store" {
		t.Errorf("header %v", created.header)
	}
	stored, _ := f.contents()
	if stored.Names["orders"] != object.ID {
		t.Errorf("names %v, want orders for %s", stored.Names, object.ID)
	}
	f.wantSecret("acme", object.ID, payload)

	again := c.call("POST", collection, payload, http.StatusUnprocessableEntity, nil)
	if !strings.Contains(string(again.body), `"name_taken"`) {
		t.Errorf("the same name again: %s", again.body)
	}
	f.wantOne()
	_, items := f.contents()
	wantAbsent(t, sourcePassword, items, f.function("create-database").Logs(), string(created.body), string(again.body))
}

// wantSecret fails the test unless the database's secret has the form that RDS
// Proxy reads, and tags with its owner.
func (s *stack) wantSecret(account, id string, payload map[string]any) {
	s.t.Helper()
	name := s.Prefix + "/" + account + "/" + id
	value, err := s.Secrets.GetSecretValue(s.t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &name})
	if err != nil {
		s.t.Fatal(err)
	}
	var got map[string]any
	decode(s.t, []byte(*value.SecretString), &got)
	want := map[string]any{
		"engine": "postgres", "host": payload["hostname"], "port": payload["port"], "username": payload["username"],
		"password": payload["password"], "dbname": payload["database"],
	}
	for k, v := range want {
		if fmt.Sprint(got[k]) != fmt.Sprint(v) {
			s.t.Errorf("the secret's %s differs from the payload's", k)
		}
	}
	if len(got) != len(want) {
		s.t.Errorf("the secret has %d members, want %d", len(got), len(want))
	}
	described, err := s.Secrets.DescribeSecret(s.t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &name})
	if err != nil {
		s.t.Fatal(err)
	}
	tags := map[string]string{}
	for _, tag := range described.Tags {
		tags[*tag.Key] = *tag.Value
	}
	for k, v := range map[string]string{"headgate:table": s.Table, "headgate:account": account, "headgate:database": id} {
		if tags[k] != v {
			s.t.Errorf("tag %s is %q, want %q", k, tags[k], v)
		}
	}
}

func TestCreateDatabase_ShowSensitive(t *testing.T) {
	t.Parallel()
	f := newFunctions(t)
	var object database.Object
	(&client{t, f, "acme"}).call("POST", collection+"?show_sensitive=true", newSource(t, "orders"), http.StatusCreated, &object)
	if object.Password != sourcePassword {
		t.Error("the response does not have the password")
	}
	wantAbsent(t, sourcePassword, f.function("create-database").Logs())
}

func TestCreateDatabase_DryRun(t *testing.T) {
	t.Parallel()
	f := newFunctions(t)
	got := (&client{t, f, "acme"}).call("POST", collection+"?dry_run=true", newSource(t, "orders"), http.StatusOK, nil)
	if !strings.HasPrefix(string(got.body), `{"success":true,"checks":[{"name":"address"`) {
		t.Errorf("response %s", got.body)
	}
	f.wantEmpty()
}

func TestCreateDatabase_Rejected(t *testing.T) {
	t.Parallel()
	f := newFunctions(t)
	good := newSource(t, "orders")
	for _, tt := range []struct {
		name    string
		payload map[string]any
		code    string
	}{
		{"a missing slot", with(good, "replication_slots", []any{map[string]any{"publication_name": "pub", "slot_name": "nope"}}), "replication_slot_not_found"},
		{"a wrong password", with(good, "password", "wrong"), "authentication_failed"},
		{"an address that is not allowed", with(good, "hostname", "169.254.169.254"), "address_not_allowed"},
		{"an invalid payload", with(good, "port", "x"), "invalid_payload"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var problem struct {
				Code             string              `json:"code"`
				ValidationErrors map[string][]string `json:"validation_errors"`
			}
			got := (&client{t, f, "acme"}).call("POST", collection, tt.payload, http.StatusUnprocessableEntity, &problem)
			if problem.Code != tt.code || problem.ValidationErrors == nil {
				t.Errorf("response %s", got.body)
			}
			f.wantEmpty()
			wantAbsent(t, sourcePassword, string(got.body))
		})
	}
}
