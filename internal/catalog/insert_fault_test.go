package catalog_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/faultwire"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

// Answers that a script may give.
var (
	conflict  = faultwire.Canceled(faultwire.Reason{Code: "None"}, faultwire.Reason{Code: "TransactionConflict"})
	throttled = faultwire.Answer(http.StatusBadRequest, "ThrottlingException", nil)
	broken    = faultwire.Answer(http.StatusInternalServerError, "InternalServerError", nil)
	running   = faultwire.Answer(http.StatusBadRequest, "TransactionInProgressException", nil)
	denied    = faultwire.Answer(http.StatusBadRequest, "AccessDeniedException", nil)
)

// guarded is the cancellation of an insert whose name is in use by id.
func guarded(id string) faultwire.Fault {
	return faultwire.Canceled(faultwire.Reason{Code: "None"}, faultwire.Reason{
		Code: "ConditionalCheckFailed", Item: map[string]map[string]string{"database_id": {"S": id}},
	})
}

func TestAnInsertSurvives(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		faults   []faultwire.Fault
		attempts int
	}{
		"an answer lost after it was done":                    {[]faultwire.Fault{faultwire.LoseAnswer, faultwire.Pass}, 2},
		"two answers lost":                                    {[]faultwire.Fault{faultwire.LoseAnswer, faultwire.LoseAnswer, faultwire.Pass}, 3},
		"a request lost":                                      {[]faultwire.Fault{faultwire.LoseRequest, faultwire.Pass}, 2},
		"an internal error":                                   {[]faultwire.Fault{broken, faultwire.Pass}, 2},
		"a conflict with another transaction":                 {[]faultwire.Fault{conflict, faultwire.Pass}, 2},
		"more conflicts than a throttled call has tries":      {[]faultwire.Fault{conflict, conflict, conflict, conflict, faultwire.Pass}, 5},
		"itself still in progress":                            {[]faultwire.Fault{faultwire.LoseAnswer, running, faultwire.Pass}, 3},
		"a throttled attempt":                                 {[]faultwire.Fault{throttled, faultwire.Pass}, 2},
		"more throttling than it has tries when in doubt":     {[]faultwire.Fault{faultwire.LoseAnswer, throttled, throttled, throttled, faultwire.Pass}, 5},
		"a refused connection":                                {[]faultwire.Fault{faultwire.NoConnection, faultwire.Pass}, 2},
		"a lost answer and then a conflict with its own self": {[]faultwire.Fault{faultwire.LoseAnswer, conflict, faultwire.Pass}, 3},
		"the throughput of its table used up":                 {[]faultwire.Fault{faultwire.Canceled(faultwire.Reason{Code: "ThrottlingError"}, faultwire.Reason{Code: "None"}), faultwire.Pass}, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab, d := newTable(t), storetest.Database(storetest.Account(), "orders")
			tab.wire.Script("TransactWriteItems", test.faults...)
			if err := tab.catalog().Insert(storetest.Context(t), d, nil); err != nil {
				t.Fatal(err)
			}
			owner, err := tab.catalog().NameOwner(storetest.Context(t), d.Account, d.Name)
			if err != nil || owner != d.ID {
				t.Errorf("owner %q, %v, want %s", owner, err, d.ID)
			}
			wantSameRequests(t, tab.wire.Requests("TransactWriteItems"), test.attempts, d.ID)
		})
	}
}

// wantSameRequests fails the test unless there were n, all alike, with token.
func wantSameRequests(t *testing.T, bodies []string, n int, token string) {
	t.Helper()
	if len(bodies) != n {
		t.Errorf("%d attempts, want %d", len(bodies), n)
	}
	for i, body := range bodies {
		var request struct{ ClientRequestToken string }
		if err := json.Unmarshal([]byte(body), &request); err != nil {
			t.Fatal(err)
		}
		if request.ClientRequestToken != token {
			t.Errorf("attempt %d has the token %q, want %q", i, request.ClientRequestToken, token)
		}
	}
}

func TestAnInsertThatIsGivenUpSaysWhatIsKnownOfIt(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		faults []faultwire.Fault
		kind   apierror.Kind
	}{
		"always throttled":                      {[]faultwire.Fault{throttled}, apierror.Throttled},
		"never connected":                       {[]faultwire.Fault{faultwire.NoConnection}, apierror.Unavailable},
		"always in conflict":                    {[]faultwire.Fault{conflict}, apierror.Unavailable},
		"denied":                                {[]faultwire.Fault{denied}, apierror.Internal},
		"a token used for something else":       {[]faultwire.Fault{faultwire.Answer(http.StatusBadRequest, "IdempotentParameterMismatchException", nil)}, apierror.Internal},
		"a table that is not there":             {[]faultwire.Fault{faultwire.Answer(http.StatusBadRequest, "ResourceNotFoundException", nil)}, apierror.Internal},
		"cancelled as invalid":                  {[]faultwire.Fault{faultwire.Canceled(faultwire.Reason{Code: "ValidationError"}, faultwire.Reason{Code: "TransactionConflict"})}, apierror.Internal},
		"never answered":                        {[]faultwire.Fault{faultwire.Hang}, apierror.UnknownOutcome},
		"always an internal error":              {[]faultwire.Fault{broken}, apierror.UnknownOutcome},
		"always reset":                          {[]faultwire.Fault{faultwire.LoseRequest}, apierror.UnknownOutcome},
		"always in progress":                    {[]faultwire.Fault{running}, apierror.UnknownOutcome},
		"reset, then throttled":                 {[]faultwire.Fault{faultwire.LoseRequest, throttled}, apierror.UnknownOutcome},
		"reset, then not connected":             {[]faultwire.Fault{faultwire.LoseRequest, faultwire.NoConnection}, apierror.UnknownOutcome},
		"reset, then in conflict":               {[]faultwire.Fault{faultwire.LoseRequest, conflict}, apierror.UnknownOutcome},
		"reset, then denied":                    {[]faultwire.Fault{faultwire.LoseRequest, denied}, apierror.UnknownOutcome},
		"throttled, then reset, then throttled": {[]faultwire.Fault{throttled, faultwire.LoseRequest, throttled}, apierror.UnknownOutcome},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab, d := newTable(t), storetest.Database(storetest.Account(), "orders")
			tab.wire.Script("TransactWriteItems", test.faults...)
			ctx, cancel := context.WithTimeout(storetest.Context(t), time.Second)
			defer cancel()
			wantKind(t, tab.catalog().Insert(ctx, d, nil), test.kind)
		})
	}
}

func TestACancelledInsertLooksAtWhoHasTheName(t *testing.T) {
	t.Parallel()
	d := storetest.Database(storetest.Account(), "orders")
	unnamed := faultwire.Canceled(faultwire.Reason{Code: "None"}, faultwire.Reason{Code: "ConditionalCheckFailed"})
	both := faultwire.Canceled(faultwire.Reason{Code: "ConditionalCheckFailed"}, faultwire.Reason{
		Code: "ConditionalCheckFailed", Item: map[string]map[string]string{"database_id": {"S": "other"}},
	})
	tests := map[string]struct {
		faults []faultwire.Fault
		check  func(*testing.T, error)
	}{
		"its own guard counts as done":                      {[]faultwire.Fault{guarded(d.ID)}, done},
		"its own guard after a lost answer counts as done":  {[]faultwire.Fault{faultwire.LoseRequest, guarded(d.ID)}, done},
		"its own item counts as done, whoever has the name": {[]faultwire.Fault{both}, done},
		"another's guard is a name taken":                   {[]faultwire.Fault{guarded("other")}, taken(apierror.Internal)},
		"another's guard after a conflict is a name taken":  {[]faultwire.Fault{conflict, guarded("other")}, taken(apierror.Internal)},
		"another's guard leaves a reset attempt in doubt":   {[]faultwire.Fault{faultwire.LoseRequest, guarded("other")}, taken(apierror.UnknownOutcome)},
		"a guard not shown is a defect":                     {[]faultwire.Fault{unnamed}, failed(apierror.Internal)},
		"a guard not shown leaves a reset attempt in doubt": {[]faultwire.Fault{faultwire.LoseRequest, unnamed}, failed(apierror.UnknownOutcome)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab := newTable(t)
			tab.wire.Script("TransactWriteItems", test.faults...)
			test.check(t, tab.catalog().Insert(storetest.Context(t), d, nil))
		})
	}
}

func done(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func taken(kind apierror.Kind) func(*testing.T, error) {
	return func(t *testing.T, err error) {
		t.Helper()
		if !errors.Is(err, database.ErrNameTaken) {
			t.Fatalf("error %v, want ErrNameTaken", err)
		}
		wantKind(t, err, kind)
	}
}

func failed(kind apierror.Kind) func(*testing.T, error) {
	return func(t *testing.T, err error) {
		t.Helper()
		if errors.Is(err, database.ErrNameTaken) {
			t.Fatalf("error %v is ErrNameTaken", err)
		}
		wantKind(t, err, kind)
	}
}
