package vault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/faultwire"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

// refusal responds with an error code of Secrets Manager.
func refusal(code string) faultwire.Fault { return faultwire.Answer(http.StatusBadRequest, code, nil) }

var (
	throttled = refusal("ThrottlingException")
	broken    = faultwire.Answer(http.StatusInternalServerError, "InternalServiceError", nil)
	exists    = refusal("ResourceExistsException")
	missing   = refusal("ResourceNotFoundException")
	moved     = refusal("InvalidParameterException")
	invalid   = refusal("InvalidRequestException")
)

// quick returns a context for calls that must fail.
func quick(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(storetest.Context(t), time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestVault_Retries(t *testing.T) {
	t.Parallel()
	type call func(context.Context, bench, database.Database, database.Passwords) error
	addVersion := func(ctx context.Context, b bench, d database.Database, p database.Passwords) error {
		_, err := b.AddVersion(ctx, d, p, storetest.ID())
		return err
	}
	read := func(ctx context.Context, b bench, d database.Database, _ database.Passwords) error {
		_, err := b.Read(ctx, d.Account, d.ID, d.ID)
		return err
	}
	promote := func(ctx context.Context, b bench, d database.Database, p database.Passwords) error {
		version, err := b.AddVersion(ctx, d, p, storetest.ID())
		if err != nil {
			return err
		}
		return b.Promote(ctx, d.Account, d.ID, version.Version)
	}
	schedule := func(ctx context.Context, b bench, d database.Database, _ database.Passwords) error {
		return b.ScheduleDeletion(ctx, d.Account, d.ID)
	}
	discard := func(ctx context.Context, b bench, d database.Database, _ database.Passwords) error {
		return b.Discard(ctx, d.Account, d.ID)
	}
	tests := map[string]struct {
		operation string
		faults    []faultwire.Fault
		call      call
	}{
		"PutSecretValue, response lost":        {"PutSecretValue", []faultwire.Fault{faultwire.LoseAnswer, faultwire.Pass}, addVersion},
		"PutSecretValue throttled":             {"PutSecretValue", []faultwire.Fault{throttled, faultwire.Pass}, addVersion},
		"GetSecretValue, not found four times": {"GetSecretValue", []faultwire.Fault{missing, missing, missing, missing, faultwire.Pass}, read},
		"GetSecretValue, no response":          {"GetSecretValue", []faultwire.Fault{faultwire.Hang, faultwire.Pass}, read},
		"first label, response lost":           {"UpdateSecretVersionStage", []faultwire.Fault{faultwire.LoseAnswer, faultwire.Pass}, promote},
		"second label, response lost":          {"UpdateSecretVersionStage", []faultwire.Fault{faultwire.Pass, faultwire.LoseAnswer}, promote},
		"label moved concurrently":             {"UpdateSecretVersionStage", []faultwire.Fault{moved, faultwire.Pass}, promote},
		"DescribeSecret, not found":            {"DescribeSecret", []faultwire.Fault{missing, faultwire.Pass}, promote},
		"ScheduleDeletion, response lost":      {"DeleteSecret", []faultwire.Fault{faultwire.LoseAnswer, faultwire.Pass}, schedule},
		"Discard, response lost":               {"DeleteSecret", []faultwire.Fault{faultwire.LoseAnswer, faultwire.Pass}, discard},
		"Discard, not found":                   {"DeleteSecret", []faultwire.Fault{missing}, discard},
		"Discard, internal error":              {"DeleteSecret", []faultwire.Fault{broken, faultwire.Pass}, discard},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			d, p := b.create(t)
			b.wire.Script(test.operation, test.faults...)
			if err := test.call(storetest.Context(t), b, d, p); err != nil {
				t.Fatal(err)
			}
			if got := len(b.wire.Requests(test.operation)); got < len(test.faults) {
				t.Errorf("%d attempts, want %d", got, len(test.faults))
			}
		})
	}
}

func TestCreate_ResponseLost(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.wire.Script("CreateSecret", faultwire.LoseAnswer, faultwire.Pass)
	d, _ := b.create(t)
	b.wantLabels(t, d, map[string][]string{d.ID: {"AWSCURRENT"}})
	for i, body := range b.wire.Requests("CreateSecret") {
		var request struct{ ClientRequestToken string }
		if err := json.Unmarshal([]byte(body), &request); err != nil {
			t.Fatal(err)
		}
		if request.ClientRequestToken != d.ID {
			t.Errorf("attempt %d has the token %q, want %q", i, request.ClientRequestToken, d.ID)
		}
	}
}

func TestCreate_Exists(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		prepare func(*testing.T, bench, database.Database, database.Passwords)
		done    bool
		kind    apierror.Kind
	}{
		"same passwords": {func(t *testing.T, b bench, d database.Database, p database.Passwords) {
			mustCreate(t, b, d, p)
		}, true, 0},
		"other passwords": {func(t *testing.T, b bench, d database.Database, _ database.Passwords) {
			mustCreate(t, b, d, storetest.Passwords())
		}, false, apierror.Internal},
		"no such version": {func(*testing.T, bench, database.Database, database.Passwords) {}, false, apierror.Internal},
		"GetSecretValue fails": {func(t *testing.T, b bench, d database.Database, p database.Passwords) {
			mustCreate(t, b, d, p)
			b.wire.Script("GetSecretValue", faultwire.NoConnection)
		}, false, apierror.Unavailable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, d, p := newBench(t), storetest.Database(storetest.Account(), "orders"), storetest.Passwords()
			test.prepare(t, b, d, p)
			b.wire.Script("CreateSecret", exists)
			stored, err := b.Create(storetest.Context(t), d, p)
			if test.done {
				if err != nil || stored.Version != d.ID || !strings.HasPrefix(stored.ARN, "arn:aws:secretsmanager:") {
					t.Fatalf("stored %+v, %v", stored, err)
				}
				return
			}
			wantKind(t, err, test.kind)
		})
	}
}

func mustCreate(t *testing.T, b bench, d database.Database, p database.Passwords) {
	t.Helper()
	if _, err := b.Create(storetest.Context(t), d, p); err != nil {
		t.Fatal(err)
	}
}

func TestCreate_ErrorKind(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault faultwire.Fault
		kind  apierror.Kind
	}{
		"throttled":                     {throttled, apierror.Throttled},
		"connection refused":            {faultwire.NoConnection, apierror.Unavailable},
		"reset":                         {faultwire.LoseRequest, apierror.Unavailable},
		"no response":                   {faultwire.Hang, apierror.Unavailable},
		"internal error":                {broken, apierror.Unavailable},
		"denied":                        {refusal("AccessDeniedException"), apierror.Internal},
		"quota exceeded":                {refusal("LimitExceededException"), apierror.Throttled},
		"no such KMS key":               {missing, apierror.Internal},
		"name scheduled for deletion":   {invalid, apierror.Internal},
		"error that quotes the request": {quoting, apierror.Internal},
		"response that is not JSON":     {garbage, apierror.Internal},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, d, p := newBench(t), storetest.Database(storetest.Account(), "orders"), storetest.Passwords()
			b.wire.Script("CreateSecret", test.fault)
			_, err := b.Create(quick(t), d, p)
			wantKind(t, err, test.kind)
			wantRedacted(t, err, p.Main.Reveal())
			wantRedacted(t, err, "SecretString")
		})
	}
}

// quoting responds with an error that quotes the request.
func quoting(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	body, err := readAll(r)
	if err != nil {
		return nil, err
	}
	return faultwire.Answer(http.StatusBadRequest, "ValidationException", map[string]any{"message": "1 validation error: " + body})(r, send)
}

// garbage responds as something else than Secrets Manager.
func garbage(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	body, err := readAll(r)
	if err != nil {
		return nil, err
	}
	response, err := faultwire.Answer(http.StatusForbidden, "", nil)(r, send)
	if err == nil {
		response.Body = textBody("<html>" + body)
	}
	return response, err
}

// wantRedacted fails the test if err, or an error that it wraps, contains text.
func wantRedacted(t *testing.T, err error, text string) {
	t.Helper()
	quoted, encodeErr := json.Marshal(text)
	if encodeErr != nil {
		t.Fatal(encodeErr)
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, said := range []string{e.Error(), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e)} {
			if strings.Contains(said, text) || strings.Contains(said, strings.Trim(string(quoted), `"`)) {
				t.Fatalf("the error contains the secret: %s", said)
			}
		}
	}
}

func TestVault_InvalidRequest(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d, _ := b.create(t)
	b.wire.Script("DeleteSecret", invalid)
	wantKind(t, b.ScheduleDeletion(storetest.Context(t), d.Account, d.ID), apierror.Internal)
	b.wire.Script("GetSecretValue", invalid)
	_, err := b.Read(storetest.Context(t), d.Account, d.ID, d.ID)
	wantKind(t, err, apierror.Internal)
}

// TestSafety_VersionLimit has Secrets Manager's limit of the versions of a secret,
// which a caller reaches by many updates.
func TestSafety_VersionLimit(t *testing.T) {
	t.Parallel()
	for operation, call := range map[string]func(bench, database.Database, database.Passwords) error{
		"PutSecretValue": func(b bench, d database.Database, p database.Passwords) error {
			_, err := b.AddVersion(quick(t), d, p, uuid.NewString())
			return err
		},
		"UpdateSecretVersionStage": func(b bench, d database.Database, p database.Passwords) error {
			version, err := b.AddVersion(quick(t), d, p, uuid.NewString())
			if err != nil {
				return err
			}
			return b.Promote(quick(t), d.Account, d.ID, version.Version)
		},
	} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			b, d, p := newBench(t), storetest.Database(storetest.Account(), "orders"), storetest.Passwords()
			mustCreate(t, b, d, p)
			b.wire.Script(operation, refusal("LimitExceededException"))
			wantKind(t, call(b, d, p), apierror.Throttled)
		})
	}
}

func TestAddVersion_ScheduledSecret(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d, p := b.create(t)
	b.wire.Script("PutSecretValue", invalid)
	_, err := b.AddVersion(storetest.Context(t), d, p, storetest.ID())
	wantKind(t, err, apierror.Internal)
	if err := b.ScheduleDeletion(storetest.Context(t), d.Account, d.ID); err != nil {
		t.Fatal(err)
	}
	_, err = b.AddVersion(storetest.Context(t), d, p, storetest.ID())
	wantKind(t, err, apierror.NotFound)
}

func TestPromote_LabelKeepsMoving(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d, p := b.create(t)
	version, err := b.AddVersion(storetest.Context(t), d, p, storetest.ID())
	if err != nil {
		t.Fatal(err)
	}
	b.wire.Script("UpdateSecretVersionStage", moved)
	wantKind(t, b.Promote(quick(t), d.Account, d.ID, version.Version), apierror.Unavailable)
}
