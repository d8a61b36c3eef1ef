package provision_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/provision"
)

// creator is a service that returns these errors, one for each call, and then a
// database. What the real service does is tested in internal/suites/functions.
type creator struct{ errs []error }

func (c *creator) Create(_ context.Context, account string, p database.Payload, _ string) (database.Created, error) {
	if len(c.errs) == 0 {
		return database.Created{Database: database.Database{ID: "id", Account: account, Name: p.Name}}, nil
	}
	err := c.errs[0]
	c.errs = c.errs[1:]
	return database.Created{}, err
}

// bus keeps the detail-types of what is put and the last detail, and returns err.
type bus struct {
	put    []string
	detail any
	err    error
}

func (b *bus) Put(_ context.Context, detailType string, detail any) error {
	b.put, b.detail = append(b.put, detailType), detail
	return b.err
}

func invalid(code check.Code) error {
	return &apierror.Error{Kind: apierror.Invalid, Code: code, Summary: "s", Checks: check.Report{
		{Name: check.Address, Status: check.Passed},
		{Name: check.Connection, Status: check.Failed, Code: code, Message: "m"},
	}}
}

const detail = `{"account_id":"acme","name":"n","hostname":"h","database":"d","username":"u",
	"password_secret_arn":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:a/b-AbCdEf",
	"replication_slots":[{"publication_name":"p","slot_name":"s"}]}`

func TestHandle(t *testing.T) {
	t.Parallel()
	inProgress := &apierror.Error{Kind: apierror.Conflict, Code: apierror.RequestInProgress}
	tests := []struct {
		name    string
		detail  string
		errs    []error
		outcome string
		put     string
		code    string
	}{
		{"created", detail, nil, "created", "", ""},
		{"created by a delivery in progress", detail, []error{inProgress, inProgress}, "created", "", ""},
		{"not JSON", `{`, nil, "rejected", provision.RejectedType, "invalid_payload"},
		{"an invalid payload", `{"account_id":"acme"}`, nil, "rejected", provision.RejectedType, "invalid_payload"},
		{"another payload under the event's ID", detail, []error{&apierror.Error{Kind: apierror.Conflict, Code: apierror.IdempotencyKeyReused}}, "rejected", provision.RejectedType, "idempotency_key_reused"},
		{"a failed check", detail, []error{invalid(check.SlotNotFound)}, "rejected", provision.RejectedType, "replication_slot_not_found"},
		{"a server that starts", detail, []error{invalid(check.ServerUnavailable)}, "to be repeated", "", "server_unavailable"},
		{"no free connection", detail, []error{invalid(check.TooManyConnections)}, "to be repeated", "", "too_many_connections"},
		{"no free walsender", detail, []error{invalid(check.NoWALSenderAvailable)}, "to be repeated", "", "no_walsender_available"},
		{"a lost connection", detail, []error{invalid(check.ConnectionLost)}, "to be repeated", "", "connection_lost"},
		{"a throttled store", detail, []error{apierror.New(apierror.Throttled, "s", nil)}, "to be repeated", "", ""},
		{"a store that is away", detail, []error{apierror.New(apierror.Unavailable, "s", nil)}, "to be repeated", "", ""},
		{"an unknown outcome", detail, []error{apierror.New(apierror.UnknownOutcome, "s", nil)}, "to be repeated", "", ""},
		{"a defect", detail, []error{errors.New("why")}, "to be repeated", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			b := &bus{}
			h := provision.Handler{
				Service: &creator{tt.errs}, Bus: b, Log: slog.New(slog.NewJSONHandler(&out, nil)), Namespace: "headgate/test",
			}
			err := h.Handle(t.Context(), events.EventBridgeEvent{ID: "event-1", Detail: json.RawMessage(tt.detail)})
			if (err != nil) != (tt.outcome == "to be repeated") || strings.Join(b.put, ",") != tt.put {
				t.Errorf("put %q, error %v", b.put, err)
			}
			line := parse(t, out.Bytes())
			if line["msg"] != "event" || line["outcome"] != tt.outcome || line["request_id"] != "event-1" || text(line["code"]) != tt.code {
				t.Errorf("line %s", out.String())
			}
			if (line["level"] == "ERROR") != (err != nil) || (line["error"] != nil) != (err != nil) {
				t.Errorf("error %v, line %s", err, out.String())
			}
			if line["_aws"] == nil || (line["created"] != nil) != (tt.outcome == "created") || (line["refused"] != nil) != (tt.code != "") {
				t.Errorf("metrics in %s", out.String())
			}
		})
	}
	t.Run("an answer that the bus did not take", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		b := &bus{err: errors.New("away")}
		h := provision.Handler{Service: &creator{[]error{invalid(check.SlotNotFound)}}, Bus: b, Log: slog.New(slog.NewJSONHandler(&out, nil))}
		err := h.Handle(t.Context(), events.EventBridgeEvent{ID: "event-1", Detail: json.RawMessage(detail)})
		if line := parse(t, out.Bytes()); !errors.Is(err, b.err) || line["error"] != "away" || line["account"] != "acme" {
			t.Errorf("error %v, line %s", err, out.String())
		}
	})
}

func TestHandle_RejectedName(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("n", 255)
	for name, tt := range map[string]struct{ sent, want string }{
		"the longest valid name is whole": {`"` + longest + `"`, longest},
		"a longer one is cut":             {`"` + longest + `n"`, longest + "…"},
		"characters that can't be shown":  {`"a\u0000\u202eb"`, "a  b"},
		"no text":                         {`["n"]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &bus{}
			h := provision.Handler{Service: &creator{}, Bus: b, Log: slog.New(slog.DiscardHandler)}
			err := h.Handle(t.Context(), events.EventBridgeEvent{ID: "event-1", Detail: json.RawMessage(`{"account_id":"acme","name":` + tt.sent + `}`)})
			if r, ok := b.detail.(provision.Rejected); err != nil || !ok || r.Name != tt.want {
				t.Errorf("put %+v, error %v", b.detail, err)
			}
		})
	}
}

func parse(t *testing.T, line []byte) map[string]any {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(line, &members); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	return members
}

// text returns v as a string, empty where it is absent.
func text(v any) string {
	s, _ := v.(string)
	return s
}
