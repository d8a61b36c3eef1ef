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

// createMany keeps the passwords of n databases of one account.
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
		t.Error("other passwords")
	}
}

// wantRequests fails the test unless there were so many.
func (b bench) wantRequests(t *testing.T, operation string, want int) {
	t.Helper()
	if got := len(b.wire.Requests(operation)); got != want {
		t.Errorf("%d requests of %s, want %d", got, operation, want)
	}
}

func TestManyPasswordsAreReadInBatchesOfTwenty(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ds, ps := b.createMany(t, 41)
	b.wantAll(t, ds, ps)
	b.wantRequests(t, "BatchGetSecretValue", 3)
	b.wantRequests(t, "GetSecretValue", 0)
	b.wantAll(t, nil, nil)
	b.wantRequests(t, "BatchGetSecretValue", 3)
}

func TestBatchesGoSideBySideButNotAllAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var now, most atomic.Int64
	full := make(chan struct{})
	b.wire.Script("BatchGetSecretValue", func(*http.Request, func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		n := now.Add(1)
		defer now.Add(-1)
		if n > most.Load() {
			most.Store(n)
		}
		if n == 8 {
			select {
			case <-full:
			default:
				close(full)
			}
		}
		// Wait for the others: they come, or the call's deadline does.
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
	if got := most.Load(); got != 8 {
		t.Errorf("%d at once, want 8", got)
	}
}

func TestManyPasswordsSurvive(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		operation string
		faults    []faultwire.Fault
	}{
		"throttling, and more of it":     {"BatchGetSecretValue", []faultwire.Fault{throttled, throttled, throttled, throttled, throttled, faultwire.Pass}},
		"a lost answer":                  {"BatchGetSecretValue", []faultwire.Fault{faultwire.LoseAnswer, faultwire.Pass}},
		"a batch that hangs":             {"BatchGetSecretValue", []faultwire.Fault{faultwire.Hang, faultwire.Pass}},
		"a batch refused for one secret": {"BatchGetSecretValue", []faultwire.Fault{missing, faultwire.Pass}},
		"a batch refused for a deletion": {"BatchGetSecretValue", []faultwire.Fault{invalid, faultwire.Pass}},
		"a batch without all of it":      {"BatchGetSecretValue", []faultwire.Fault{partial("ResourceNotFoundException"), faultwire.Pass}},
		"a batch with an error in it":    {"BatchGetSecretValue", []faultwire.Fault{partial("InternalServiceError"), faultwire.Pass}},
		"a secret not found yet":         {"GetSecretValue", []faultwire.Fault{missing, missing, faultwire.Pass}},
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

// partial is an answer of a batch that has no secret, but this error for one.
func partial(code string) faultwire.Fault {
	return faultwire.Answer(http.StatusOK, "", map[string]any{
		"SecretValues": []any{},
		"Errors":       []any{map[string]string{"ErrorCode": code, "Message": "as the test wants it", "SecretId": "one"}},
	})
}

func TestManyPasswordsThatAreGivenUp(t *testing.T) {
	t.Parallel()
	denied := refusal("AccessDeniedException")
	tests := map[string]struct {
		faults map[string]faultwire.Fault
		kind   apierror.Kind
	}{
		"always throttled":        {map[string]faultwire.Fault{"BatchGetSecretValue": throttled}, apierror.Throttled},
		"never connected":         {map[string]faultwire.Fault{"BatchGetSecretValue": faultwire.NoConnection}, apierror.Unavailable},
		"reset each time":         {map[string]faultwire.Fault{"BatchGetSecretValue": faultwire.LoseRequest}, apierror.Unavailable},
		"never answered":          {map[string]faultwire.Fault{"BatchGetSecretValue": faultwire.Hang}, apierror.Unavailable},
		"batches denied":          {map[string]faultwire.Fault{"BatchGetSecretValue": denied}, apierror.Internal},
		"one of a batch denied":   {map[string]faultwire.Fault{"BatchGetSecretValue": partial("AccessDeniedException"), "GetSecretValue": denied}, apierror.Internal},
		"one of them throttled":   {map[string]faultwire.Fault{"BatchGetSecretValue": partial("InternalServiceError"), "GetSecretValue": throttled}, apierror.Throttled},
		"invalid, not deleted":    {map[string]faultwire.Fault{"BatchGetSecretValue": partial("InvalidRequestException"), "GetSecretValue": invalid}, apierror.Internal},
		"an answer that quotes":   {map[string]faultwire.Fault{"BatchGetSecretValue": quoting}, apierror.Internal},
		"a batch in another form": {map[string]faultwire.Fault{"BatchGetSecretValue": otherForm}, apierror.Internal},
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
			wantQuiet(t, err, ps[0].Main.Reveal())
			wantQuiet(t, err, "hunter2")
		})
	}
}

// otherForm is the real answer of a batch with the secrets' strings replaced.
func otherForm(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	answer, err := send(r)
	if err != nil {
		return nil, err
	}
	body, err := readAll(&http.Request{Body: answer.Body})
	if err != nil {
		return nil, err
	}
	text := strings.ReplaceAll(body, `"SecretString": "{`, `"SecretString": "hunter2{`)
	answer.Body, answer.ContentLength = textBody(text), int64(len(text))
	return answer, nil
}

func TestASecretScheduledForDeletionIsNotWaitedFor(t *testing.T) {
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

// TestAVersionWithoutLabelsIsPromoted has the secret described as AWS does: with
// the versions that have labels, and no others.
func TestAVersionWithoutLabelsIsPromoted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d, _ := b.create(t)
	version, err := b.AddVersion(storetest.Context(t), d, storetest.Passwords(), storetest.ID())
	if err != nil {
		t.Fatal(err)
	}
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
