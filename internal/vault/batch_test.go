package vault_test

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/faultwire"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

// createMany creates the secrets of n databases of one account.
func (b bench) createMany(t *testing.T, n int) ([]database.Database, []database.Passwords) {
	t.Helper()
	account, ds, ps := storetest.Account(), make([]database.Database, n), make([]database.Passwords, n)
	for i := range ds {
		ds[i], ps[i] = storetest.Database(account, "orders"), storetest.Passwords()
		mustCreate(t, b, ds[i], ps[i])
		ds[i].SecretVersion = ds[i].ID
	}
	return ds, ps
}

func (b bench) wantAll(t *testing.T, ds []database.Database, want []database.Passwords) {
	t.Helper()
	got, err := b.ReadAll(storetest.Context(t), ds)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Error("the passwords differ")
	}
}

// wantRequests fails the test unless there were want requests of the operation.
func (b bench) wantRequests(t *testing.T, operation string, want int) {
	t.Helper()
	if got := len(b.wire.Requests(operation)); got != want {
		t.Errorf("%d requests of %s, want %d", got, operation, want)
	}
}

func TestReadAll_Batches(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ds, ps := b.createMany(t, 41)
	b.wantAll(t, ds, ps)
	b.wantRequests(t, "BatchGetSecretValue", 3)
	b.wantRequests(t, "GetSecretValue", 0)
	b.wantAll(t, nil, nil)
	b.wantRequests(t, "BatchGetSecretValue", 3)
}

func TestReadAll_Concurrency(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var running, highest atomic.Int64
	full := make(chan struct{})
	b.wire.Script("BatchGetSecretValue", func(*http.Request, func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		n := running.Add(1)
		defer running.Add(-1)
		if n > highest.Load() {
			highest.Store(n)
		}
		if n == 8 {
			select {
			case <-full:
			default:
				close(full)
			}
		}
		// Wait until eight calls run.
		select {
		case <-full:
		case <-t.Context().Done():
		}
		return faultwire.Answer(http.StatusOK, "", nil)(nil, nil)
	})
	b.wire.Script("GetSecretValue", missing)
	ds := make([]database.Database, 400)
	for i := range ds {
		ds[i] = storetest.Database("account", "orders")
	}
	b.wantAll(t, ds, make([]database.Passwords, len(ds)))
	b.wantRequests(t, "BatchGetSecretValue", 20)
	if got := highest.Load(); got != 8 {
		t.Errorf("%d at once, want 8", got)
	}
}

func TestReadAll_Retries(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		operation string
		faults    []faultwire.Fault
	}{
		"throttled five times":            {"BatchGetSecretValue", []faultwire.Fault{throttled, throttled, throttled, throttled, throttled, faultwire.Pass}},
		"response lost":                   {"BatchGetSecretValue", []faultwire.Fault{faultwire.LoseAnswer, faultwire.Pass}},
		"no response":                     {"BatchGetSecretValue", []faultwire.Fault{faultwire.Hang, faultwire.Pass}},
		"batch without a secret":          {"BatchGetSecretValue", []faultwire.Fault{missing, faultwire.Pass}},
		"batch with a deleted secret":     {"BatchGetSecretValue", []faultwire.Fault{invalid, faultwire.Pass}},
		"secrets missing in the response": {"BatchGetSecretValue", []faultwire.Fault{partial("ResourceNotFoundException"), faultwire.Pass}},
		"errors in the response":          {"BatchGetSecretValue", []faultwire.Fault{partial("InternalServiceError"), faultwire.Pass}},
		"secret not found twice":          {"GetSecretValue", []faultwire.Fault{missing, missing, faultwire.Pass}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			ds, ps := b.createMany(t, 21)
			if test.operation == "GetSecretValue" {
				b.wire.Script("BatchGetSecretValue", partial("ResourceNotFoundException"))
			}
			b.wire.Script(test.operation, test.faults...)
			b.wantAll(t, ds, ps)
		})
	}
}

// partial responds to a batch without secrets, with the error for one of them.
func partial(code string) faultwire.Fault {
	return faultwire.Answer(http.StatusOK, "", map[string]any{
		"SecretValues": []any{},
		"Errors":       []any{map[string]string{"ErrorCode": code, "Message": "injected by the test", "SecretId": "one"}},
	})
}

func TestReadAll_ErrorKind(t *testing.T) {
	t.Parallel()
	denied := refusal("AccessDeniedException")
	tests := map[string]struct {
		faults map[string]faultwire.Fault
		kind   apierror.Kind
	}{
		"batch throttled":               {map[string]faultwire.Fault{"BatchGetSecretValue": throttled}, apierror.Throttled},
		"connection refused":            {map[string]faultwire.Fault{"BatchGetSecretValue": faultwire.NoConnection}, apierror.Unavailable},
		"reset":                         {map[string]faultwire.Fault{"BatchGetSecretValue": faultwire.LoseRequest}, apierror.Unavailable},
		"no response":                   {map[string]faultwire.Fault{"BatchGetSecretValue": faultwire.Hang}, apierror.Unavailable},
		"batch denied":                  {map[string]faultwire.Fault{"BatchGetSecretValue": denied}, apierror.Internal},
		"one secret denied":             {map[string]faultwire.Fault{"BatchGetSecretValue": partial("AccessDeniedException"), "GetSecretValue": denied}, apierror.Internal},
		"one secret throttled":          {map[string]faultwire.Fault{"BatchGetSecretValue": partial("InternalServiceError"), "GetSecretValue": throttled}, apierror.Throttled},
		"one request invalid":           {map[string]faultwire.Fault{"BatchGetSecretValue": partial("InvalidRequestException"), "GetSecretValue": invalid}, apierror.Internal},
		"error that quotes the request": {map[string]faultwire.Fault{"BatchGetSecretValue": quoting}, apierror.Internal},
		"malformed secrets":             {map[string]faultwire.Fault{"BatchGetSecretValue": otherForm}, apierror.Internal},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			ds, ps := b.createMany(t, 3)
			for operation, fault := range test.faults {
				b.wire.Script(operation, fault)
			}
			_, err := b.ReadAll(quick(t), ds)
			wantKind(t, err, test.kind)
			wantRedacted(t, err, ps[0].Main.Reveal())
			wantRedacted(t, err, "hunter2")
		})
	}
}

// otherForm forwards the request and makes the secrets in the response malformed.
func otherForm(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	response, err := send(r)
	if err != nil {
		return nil, err
	}
	body, err := readAll(&http.Request{Body: response.Body})
	if err != nil {
		return nil, err
	}
	text := strings.ReplaceAll(body, `"SecretString": "{`, `"SecretString": "hunter2{`)
	response.Body, response.ContentLength = textBody(text), int64(len(text))
	return response, nil
}

func TestVault_ScheduledSecretIsNotRetried(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ds, ps := b.createMany(t, 2)
	if err := b.ScheduleDeletion(storetest.Context(t), ds[0].Account, ds[0].ID); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	_, err := b.Read(storetest.Context(t), ds[0].Account, ds[0].ID, ds[0].SecretVersion)
	wantKind(t, err, apierror.NotFound)
	b.wantRequests(t, "GetSecretValue", 1)
	b.wantRequests(t, "DescribeSecret", 1)
	ps[0] = database.Passwords{}
	b.wantAll(t, ds, ps)
	b.wantRequests(t, "GetSecretValue", 2)
	b.wantRequests(t, "DescribeSecret", 2)
	wantKind(t, b.Promote(storetest.Context(t), ds[0].Account, ds[0].ID, ds[0].ID), apierror.NotFound)
	b.wantRequests(t, "DescribeSecret", 3)
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
}

// Unlike moto, AWS describes only the versions that have labels.
func TestPromote_VersionWithoutLabels(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d, _ := b.create(t)
	version := b.add(t, d)
	if err := b.DropVersion(storetest.Context(t), d.Account, d.ID, version); err != nil {
		t.Fatal(err)
	}
	b.wire.Script("DescribeSecret", faultwire.Answer(http.StatusOK, "", map[string]any{
		"VersionIdsToStages": map[string][]string{d.ID: {"AWSCURRENT"}},
	}), faultwire.Pass)
	if err := b.Promote(storetest.Context(t), d.Account, d.ID, version); err != nil {
		t.Fatal(err)
	}
	b.wantLabels(t, d, map[string][]string{d.ID: {"AWSPREVIOUS"}, version: {"AWSCURRENT"}})
}
