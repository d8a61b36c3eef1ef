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

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/faultwire"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

// refusal is an answer of Secrets Manager.
func refusal(code string) faultwire.Fault { return faultwire.Answer(http.StatusBadRequest, code, nil) }

var (
	throttled = refusal("ThrottlingException")
	broken    = faultwire.Answer(http.StatusInternalServerError, "InternalServiceError", nil)
	exists    = refusal("ResourceExistsException")
	missing   = refusal("ResourceNotFoundException")
	moved     = refusal("InvalidParameterException")
	invalid   = refusal("InvalidRequestException")
)

// quick is a context for calls that shall be given up.
func quick(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(storetest.Context(t), time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestCallsSurvive(t *testing.T) {
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
		return b.Promote(ctx, d.Account, d.ID, version)
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
		"a version's answer lost":         {"PutSecretValue", []faultwire.Fault{faultwire.LoseAnswer, faultwire.Pass}, addVersion},
		"a version throttled":             {"PutSecretValue", []faultwire.Fault{throttled, faultwire.Pass}, addVersion},
		"a secret not found yet":          {"GetSecretValue", []faultwire.Fault{missing, missing, missing, missing, faultwire.Pass}, read},
		"a read hanging":                  {"GetSecretValue", []faultwire.Fault{faultwire.Hang, faultwire.Pass}, read},
		"a promotion's answer lost":       {"UpdateSecretVersionStage", []faultwire.Fault{faultwire.LoseAnswer, faultwire.Pass}, promote},
		"the drop of the label lost":      {"UpdateSecretVersionStage", []faultwire.Fault{faultwire.Pass, faultwire.LoseAnswer}, promote},
		"a label moved by another":        {"UpdateSecretVersionStage", []faultwire.Fault{moved, faultwire.Pass}, promote},
		"a version not seen yet":          {"DescribeSecret", []faultwire.Fault{missing, faultwire.Pass}, promote},
		"a scheduled deletion's answer":   {"DeleteSecret", []faultwire.Fault{faultwire.LoseAnswer, faultwire.Pass}, schedule},
		"a discard's answer":              {"DeleteSecret", []faultwire.Fault{faultwire.LoseAnswer, faultwire.Pass}, discard},
		"a discard that finds nothing":    {"DeleteSecret", []faultwire.Fault{missing}, discard},
		"a discard of an error of theirs": {"DeleteSecret", []faultwire.Fault{broken, faultwire.Pass}, discard},
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

func TestACreateWhoseAnswerIsLostIsOneSecretWithOneVersion(t *testing.T) {
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

func TestASecretThatExistsCountsAsCreatedOnlyIfItIsOurs(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		prepare func(*testing.T, bench, database.Database, database.Passwords)
		done    bool
		kind    apierror.Kind
	}{
		"the same passwords in the same version": {func(t *testing.T, b bench, d database.Database, p database.Passwords) {
			mustCreate(t, b, d, p)
		}, true, 0},
		"other passwords in the same version": {func(t *testing.T, b bench, d database.Database, _ database.Passwords) {
			mustCreate(t, b, d, storetest.Passwords())
		}, false, apierror.Internal},
		"no such version": {func(*testing.T, bench, database.Database, database.Passwords) {}, false, apierror.Internal},
		"a vault that is away when asked": {func(t *testing.T, b bench, d database.Database, p database.Passwords) {
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
			version, err := b.Create(storetest.Context(t), d, p)
			if test.done {
				if err != nil || version != d.ID {
					t.Fatalf("version %q, %v", version, err)
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

func TestACreateThatIsGivenUp(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault faultwire.Fault
		kind  apierror.Kind
	}{
		"throttled":                  {throttled, apierror.Throttled},
		"never connected":            {faultwire.NoConnection, apierror.Unavailable},
		"reset each time":            {faultwire.LoseRequest, apierror.Unavailable},
		"never answered":             {faultwire.Hang, apierror.Unavailable},
		"an error of theirs":         {broken, apierror.Unavailable},
		"denied":                     {refusal("AccessDeniedException"), apierror.Internal},
		"a quota used up":            {refusal("LimitExceededException"), apierror.Internal},
		"a key that is not there":    {missing, apierror.Internal},
		"a name that is being freed": {invalid, apierror.Internal},
		"an answer that quotes":      {quoting, apierror.Internal},
		"an answer that is not JSON": {garbage, apierror.Internal},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, d, p := newBench(t), storetest.Database(storetest.Account(), "orders"), storetest.Passwords()
			b.wire.Script("CreateSecret", test.fault)
			_, err := b.Create(quick(t), d, p)
			wantKind(t, err, test.kind)
			wantQuiet(t, err, p.Main.Reveal())
			wantQuiet(t, err, "SecretString")
		})
	}
}

// quoting is an answer that repeats the request.
func quoting(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	body, err := readAll(r)
	if err != nil {
		return nil, err
	}
	return faultwire.Answer(http.StatusBadRequest, "ValidationException", map[string]any{"message": "1 validation error: " + body})(r, send)
}

// garbage is an answer from something that is not Secrets Manager.
func garbage(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	body, err := readAll(r)
	if err != nil {
		return nil, err
	}
	answer, err := faultwire.Answer(http.StatusForbidden, "", nil)(r, send)
	if err == nil {
		answer.Body = textBody("<html>" + body)
	}
	return answer, err
}

// wantQuiet fails the test if err, or anything that it wraps, says text.
func wantQuiet(t *testing.T, err error, text string) {
	t.Helper()
	quoted, encodeErr := json.Marshal(text)
	if encodeErr != nil {
		t.Fatal(encodeErr)
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, said := range []string{e.Error(), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e)} {
			if strings.Contains(said, text) || strings.Contains(said, strings.Trim(string(quoted), `"`)) {
				t.Fatalf("an error shows the secret: %s", said)
			}
		}
	}
}

func TestADeletionRefusedForAnotherReasonIsADefect(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d, _ := b.create(t)
	b.wire.Script("DeleteSecret", invalid)
	wantKind(t, b.ScheduleDeletion(storetest.Context(t), d.Account, d.ID), apierror.Internal)
	b.wire.Script("GetSecretValue", invalid)
	_, err := b.Read(storetest.Context(t), d.Account, d.ID, d.ID)
	wantKind(t, err, apierror.Internal)
}

func TestAScheduledSecretTakesNoVersion(t *testing.T) {
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

func TestALabelThatKeepsMovingIsUnavailable(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d, p := b.create(t)
	version, err := b.AddVersion(storetest.Context(t), d, p, storetest.ID())
	if err != nil {
		t.Fatal(err)
	}
	b.wire.Script("UpdateSecretVersionStage", moved)
	wantKind(t, b.Promote(quick(t), d.Account, d.ID, version), apierror.Unavailable)
}
