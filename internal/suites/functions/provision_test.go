package functions_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

// bus is EventBridge's PutEvents, which moto takes and lets nobody see again: it
// keeps what was put.
type bus struct {
	t    *testing.T
	mu   sync.Mutex
	put  []putEvent
	fail bool
}

type putEvent struct {
	EventBusName, Source, DetailType, Detail string
}

func (b *bus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	var in struct{ Entries []putEvent }
	if err != nil || json.Unmarshal(body, &in) != nil || !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".PutEvents") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	answer := `{"FailedEntryCount":0,"Entries":[{"EventId":"e"}]}`
	if b.fail {
		answer = `{"FailedEntryCount":1,"Entries":[{"ErrorCode":"InternalFailure"}]}`
	} else {
		b.put = append(b.put, in.Entries...)
	}
	if _, err := io.WriteString(w, answer); err != nil {
		b.t.Error(err)
	}
}

func (b *bus) events() []putEvent {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]putEvent(nil), b.put...)
}

// provisioning is a stack with a bus.
func provisioning(t *testing.T) (*stack, *bus) {
	t.Helper()
	s, b := newStack(t), &bus{t: t}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	s.env = append(s.env, "EVENT_BUS_NAME=headgate", "AWS_ENDPOINT_URL_EVENTBRIDGE="+server.URL)
	return s, b
}

// shared makes a secret in the RDS form, that is shared with an account, and
// gives the detail of an event that refers to it.
func (s *stack) shared(account string, payload map[string]any) map[string]any {
	s.t.Helper()
	secret, err := json.Marshal(map[string]any{"username": payload["username"], "password": payload["password"]})
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := s.secretsManager().CreateSecret(s.t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String("theirs-" + s.table), SecretString: aws.String(string(secret)),
		Tags: []types.Tag{{Key: aws.String("headgate:shared-with"), Value: &account}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	detail := with(payload, "password_secret_arn", *out.ARN)
	delete(detail, "password")
	delete(detail, "username")
	detail["account_id"] = "acme"
	return detail
}

func request(id string, detail any) map[string]any {
	return map[string]any{
		"version": "0", "id": id, "source": "acme.platform", "detail-type": "Postgres Database Requested",
		"account": "123456789012", "region": "eu-west-1", "time": "2030-01-01T00:00:00Z", "resources": []string{}, "detail": detail,
	}
}

func TestOneEventDeliveredTwentyTimesMakesOneDatabase(t *testing.T) {
	t.Parallel()
	s, b := provisioning(t)
	detail := s.shared("acme", source(t, "orders"))
	const atOnce, deliveries = 5, 20
	var workers []*runtimeapi.Function
	for range atOnce {
		workers = append(workers, s.function("provision-database"))
	}
	var wg sync.WaitGroup
	for i, worker := range workers {
		wg.Go(func() {
			for range deliveries / atOnce {
				if err := invoke(t, worker, request("event-1", detail), new(any)); err != nil {
					t.Errorf("worker %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
	put := b.events()
	if len(put) != deliveries {
		t.Fatalf("%d events were put, want %d", len(put), deliveries)
	}
	for _, e := range put {
		if e != put[0] || e.DetailType != "Postgres Database Created" || e.Source != "headgate" || e.EventBusName != "headgate" {
			t.Errorf("put %+v", e)
		}
	}
	var created struct {
		RequestID string `json:"request_id"`
		AccountID string `json:"account_id"`
		Database  map[string]any
	}
	if err := json.Unmarshal([]byte(put[0].Detail), &created); err != nil {
		t.Fatal(err)
	}
	if created.RequestID != "event-1" || created.AccountID != "acme" || created.Database["password_secret_arn"] != detail["password_secret_arn"] {
		t.Errorf("detail %s", put[0].Detail)
	}
	if n := strings.Count(s.dump(), `"database#`); n != 1 || len(s.secrets()) != 1 {
		t.Errorf("%d databases, secrets %v", n, s.secrets())
	}
	s.nowhere("the password", sourcePassword, s.dump(), put[0].Detail, workers[0].Logs())
}

func TestAnEventIsRejectedForWhatOnlyTheRequestCanMend(t *testing.T) {
	t.Parallel()
	s, b := provisioning(t)
	f := s.function("provision-database")
	payload := source(t, "orders")
	detail := s.shared("acme", payload)
	tests := []struct {
		name   string
		detail any
		says   []string
	}{
		{"a password in the detail", with(detail, "password", "p"), []string{`"code":"invalid_payload"`, `"password":["must not be in an event`}},
		{"a url in the detail", with(detail, "url", "postgres://u:w@h/d"), []string{`"url":["must not be in an event`}},
		{"a primary's password", with(detail, "primary", map[string]any{"hostname": "h", "database": "d", "password": "p"}), []string{`"primary.password":["must not be in an event`}},
		{"no account", with(detail, "account_id", nil), []string{`"account_id":["is required"]`}},
		{"a secret that is another account's", with(detail, "account_id", "globex"), []string{`"password_secret_arn":["names no secret that is shared`}},
		{"a slot that is not there", with(detail, "replication_slots", []any{map[string]any{"publication_name": "pub", "slot_name": "nope"}}), []string{`"code":"replication_slot_not_found"`, `"checks":[`}},
		{"a detail that is no object", "text", []string{`"code":"invalid_payload"`}},
	}
	for i, tt := range tests {
		if err := invoke(t, f, request(fmt.Sprintf("event-%d", i), tt.detail), new(any)); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		put := b.events()
		last := put[len(put)-1]
		if len(put) != i+1 || last.DetailType != "Postgres Database Rejected" {
			t.Fatalf("%s: %+v", tt.name, last)
		}
		for _, says := range append(tt.says, fmt.Sprintf(`"request_id":"event-%d"`, i)) {
			if !strings.Contains(last.Detail, says) {
				t.Errorf("%s: %s is not in %s", tt.name, says, last.Detail)
			}
		}
	}
	if s.dump() != "[]" || len(s.secrets()) != 0 {
		t.Error("something was kept")
	}
}

func TestAnEventWhoseAnswerCouldNotBePutIsToBeRepeated(t *testing.T) {
	t.Parallel()
	s, b := provisioning(t)
	f := s.function("provision-database")
	detail := s.shared("acme", source(t, "orders"))
	b.fail = true
	if err := invoke(t, f, request("event-1", detail), new(any)); err == nil {
		t.Error("it counts as answered")
	}
	b.mu.Lock()
	b.fail = false
	b.mu.Unlock()
	if err := invoke(t, f, request("event-1", detail), new(any)); err != nil || len(b.events()) != 1 {
		t.Errorf("the next delivery: %v, %d events", err, len(b.events()))
	}
	if n := strings.Count(s.dump(), `"database#`); n != 1 {
		t.Errorf("%d databases", n)
	}
}

func TestARotatedSecretIsUsedByTheNextTest(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	payload := source(t, "orders")
	detail := g.stack.shared("acme", payload)
	delete(detail, "account_id")
	c := &client{t, g, "acme"}
	c.call("POST", collection, detail, 201, nil)
	execute(t, "postgres", "ALTER ROLE "+payload["username"].(string)+" PASSWORD 'rotated'")
	c.call("POST", collection+"/orders/test_connection", nil, 422, nil)
	if _, err := g.stack.secretsManager().PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId:     aws.String(detail["password_secret_arn"].(string)),
		SecretString: aws.String(`{"username":"` + payload["username"].(string) + `","password":"rotated"}`),
	}); err != nil {
		t.Fatal(err)
	}
	c.call("POST", collection+"/orders/test_connection", nil, 200, nil)
	c.call("DELETE", collection+"/orders", nil, 200, nil)
	if _, err := g.stack.secretsManager().GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{
		SecretId: aws.String(detail["password_secret_arn"].(string)),
	}); err != nil {
		t.Errorf("a delete touched the secret: %v", err)
	}
}
