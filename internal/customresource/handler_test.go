package customresource_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/customresource"
	"github.com/headgate/headgate/internal/database"
)

// service returns these errors, one for each create, and then always or a database.
// What the real service does is tested in internal/suites/functions.
type service struct {
	errs      []error
	always    error
	forget    error
	elsewhere bool // the database is in another account
	calls     []string
}

const id = "01a21542-675c-760e-88a9-fa4b9c28373d"

func (s *service) Create(_ context.Context, _ string, p database.Payload, key string) (database.Created, error) {
	s.calls = append(s.calls, "create "+key)
	if len(s.errs) > 0 {
		err := s.errs[0]
		s.errs = s.errs[1:]
		return database.Created{}, err
	}
	if s.always != nil {
		return database.Created{}, s.always
	}
	return database.Created{Database: database.Database{ID: id, Name: p.Name}}, nil
}

func (s *service) Update(context.Context, string, string, database.Patch, bool) (database.Updated, error) {
	s.calls = append(s.calls, "update")
	if s.elsewhere {
		return database.Updated{}, apierror.OfStore(apierror.NotFound, nil)
	}
	return database.Updated{Database: database.Database{ID: id}}, s.always
}

func (s *service) Delete(context.Context, string, string, database.DeleteOptions) (database.Deleted, error) {
	s.calls = append(s.calls, "delete")
	return database.Deleted{ID: id}, s.always
}

func (s *service) Forget(_ context.Context, _, key string) error {
	s.calls = append(s.calls, "forget "+key)
	return s.forget
}

func (s *service) Get(context.Context, string, string) (database.Database, error) {
	return database.Database{ID: id}, nil
}

// bucket keeps the last answer, and refuses all of them if status is not 200.
type bucket struct {
	status int
	answer cfn.Response
}

func (b *bucket) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := json.NewDecoder(r.Body).Decode(&b.answer); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: b.status, Body: io.NopCloser(strings.NewReader(""))}, nil
}

func properties(account string) map[string]any {
	return map[string]any{
		"AccountId": account, "name": "n", "hostname": "h", "database": "d", "port": "5432", "ssl": "true",
		"password_secret_arn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a/b-AbCdEf",
		"replication_slots":   []any{map[string]any{"publication_name": "p", "slot_name": "s"}},
	}
}

func event(kind cfn.RequestType) cfn.Event {
	return cfn.Event{
		RequestType: kind, RequestID: "r", StackID: "arn:aws:cloudformation:eu-west-1:123456789012:stack/s/1",
		ResponseURL:        "https://cloudformation-custom-resource-response-euwest1.s3.amazonaws.com/answer?signature",
		ResourceProperties: properties("acme"), OldResourceProperties: properties("acme"), PhysicalResourceID: id,
	}
}

// inLambda returns the context of an invocation.
func inLambda(ctx context.Context) context.Context {
	return lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{
		InvokedFunctionArn: "arn:aws:lambda:eu-west-1:123456789012:function:provision-resource",
	})
}

func TestHandle_Faults(t *testing.T) {
	t.Parallel()
	unavailable := apierror.New(apierror.Unavailable, "away for now", errors.New("cause"))
	unknown := apierror.New(apierror.UnknownOutcome, "not known", errors.New("cause"))
	running := &apierror.Error{Kind: apierror.Conflict, Code: apierror.RequestInProgress, Summary: "running"}
	invalid := apierror.New(apierror.Invalid, "no", nil)
	moved := event(cfn.RequestUpdate)
	moved.OldResourceProperties = properties("other")
	foreign := func(kind cfn.RequestType, physicalID string) cfn.Event {
		e := event(kind)
		e.PhysicalResourceID, e.StackID = physicalID, strings.Replace(e.StackID, "123456789012", "210987654321", 1)
		return e
	}
	const refused = "only stacks of the AWS account of this headgate may use it, not arn:aws:cloudformation:eu-west-1:210987654321:stack/s/1"
	for _, tt := range []struct {
		name    string
		event   cfn.Event
		service service
		status  cfn.StatusType
		id      string
		reason  string
		last    string // the last call
	}{
		{"a store that is away twice", event(cfn.RequestCreate), service{errs: []error{unavailable, running}}, cfn.StatusSuccess, id, "", "create cloudformation:r"},
		{"a store that stays away", event(cfn.RequestCreate), service{always: unavailable}, cfn.StatusFailed, "unregistered-r", "away for now", "create cloudformation:r"},
		{"a defect", event(cfn.RequestCreate), service{always: errors.New("cause")}, cfn.StatusFailed, "unregistered-r", "headgate failed; its log has the cause under the request's ID", "create cloudformation:r"},
		{"a replacement of unknown outcome", moved, service{elsewhere: true, always: unknown}, cfn.StatusFailed, id, "not known", "forget cloudformation:r"},
		{"a replacement of unknown outcome, and then a store that stays away", moved, service{elsewhere: true, errs: []error{unknown}, always: unavailable}, cfn.StatusFailed, id, "away for now", "forget cloudformation:r"},
		{"a replacement of unknown outcome, and then a defect", moved, service{elsewhere: true, errs: []error{unknown}, always: errors.New("cause")}, cfn.StatusFailed, id, "headgate failed; its log has the cause under the request's ID", "forget cloudformation:r"},
		{"a replacement that is refused", moved, service{elsewhere: true, always: invalid}, cfn.StatusFailed, id, "no", "create cloudformation:r"},
		{"a create of a stack of another AWS account", foreign(cfn.RequestCreate, ""), service{}, cfn.StatusFailed, "unregistered-r", refused, ""},
		{"its deletion", foreign(cfn.RequestDelete, "unregistered-r"), service{}, cfn.StatusSuccess, "unregistered-r", "", ""},
		{"its deletion with an ID that CloudFormation made", foreign(cfn.RequestDelete, "s-Orders-1ABC"), service{}, cfn.StatusSuccess, "s-Orders-1ABC", "", ""},
		{"a deletion of a database by such a stack", foreign(cfn.RequestDelete, id), service{}, cfn.StatusFailed, id, refused, ""},
		{"an update of a database that is gone", event(cfn.RequestUpdate), service{always: apierror.OfStore(apierror.NotFound, nil)}, cfn.StatusFailed, id, "there is no such database", "update"},
		{"a delete of a database that is gone", event(cfn.RequestDelete), service{always: apierror.OfStore(apierror.NotFound, nil)}, cfn.StatusSuccess, id, "", "delete"},
		{"a delete that stays unavailable", event(cfn.RequestDelete), service{always: unavailable}, cfn.StatusFailed, id, "away for now", "delete"},
		{"a request of another type", event("Explain"), service{}, cfn.StatusFailed, id, "the request type is not Create, Update or Delete", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &bucket{status: http.StatusOK}
				h := customresource.Handler{Service: &tt.service, Client: &http.Client{Transport: b}, Region: "eu-west-1", Log: slog.New(slog.DiscardHandler)}
				if err := h.Handle(inLambda(t.Context()), tt.event); err != nil {
					t.Errorf("error %v", err)
				}
				if a := b.answer; a.Status != tt.status || a.PhysicalResourceID != tt.id || a.Reason != tt.reason {
					t.Errorf("answer %+v", a)
				}
				if n := len(tt.service.calls); n > 0 && tt.service.calls[n-1] != tt.last || n == 0 && tt.last != "" {
					t.Errorf("calls %q", tt.service.calls)
				}
			})
		})
	}
}

func TestHandle_LongReason(t *testing.T) {
	t.Parallel()
	b := &bucket{status: http.StatusOK}
	h := customresource.Handler{
		Service: &service{always: apierror.New(apierror.Invalid, strings.Repeat("é", 2000), nil)},
		Client:  &http.Client{Transport: b}, Region: "eu-west-1", Log: slog.New(slog.DiscardHandler),
	}
	if err := h.Handle(t.Context(), event(cfn.RequestCreate)); err != nil {
		t.Fatal(err)
	}
	if r := b.answer.Reason; len(r) > 1024 || len(r) < 1020 || !utf8.ValidString(r) || !strings.HasSuffix(r, "é …") {
		t.Errorf("reason of %d bytes: %q", len(r), r)
	}
}

func TestHandle_AnswerThatCanNotBeDelivered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := customresource.Handler{
			Service: &service{}, Client: &http.Client{Transport: &bucket{status: http.StatusForbidden}}, Region: "eu-west-1", Log: slog.New(slog.NewJSONHandler(&log, nil)),
		}
		err := h.Handle(t.Context(), event(cfn.RequestCreate))
		if err == nil || strings.Contains(err.Error(), "signature") || strings.Contains(log.String(), "signature") {
			t.Errorf("error %v, log %s", err, log.String())
		}
		if !strings.Contains(log.String(), `"outcome":"answer not delivered"`) {
			t.Errorf("log %s", log.String())
		}
	})
}
