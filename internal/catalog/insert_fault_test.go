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

// Responses for scripts.
var (
	conflict   = faultwire.Canceled(faultwire.Reason{Code: "None"}, faultwire.Reason{Code: "TransactionConflict"})
	throttled  = faultwire.Answer(http.StatusBadRequest, "ThrottlingException", nil)
	broken     = faultwire.Answer(http.StatusInternalServerError, "InternalServerError", nil)
	inProgress = faultwire.Answer(http.StatusBadRequest, "TransactionInProgressException", nil)
	denied     = faultwire.Answer(http.StatusBadRequest, "AccessDeniedException", nil)
)

// nameBelongsTo cancels an insert because its name belongs to the database id.
func nameBelongsTo(id string) faultwire.Fault {
	return faultwire.Canceled(faultwire.Reason{Code: "None"}, faultwire.Reason{
		Code: "ConditionalCheckFailed", Item: map[string]map[string]string{"database_id": {"S": id}},
	})
}

func TestInsert_Retries(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		faults   []faultwire.Fault
		attempts int
	}{
		"response lost":                   {[]faultwire.Fault{faultwire.LoseAnswer, faultwire.Pass}, 2},
		"two responses lost":              {[]faultwire.Fault{faultwire.LoseAnswer, faultwire.LoseAnswer, faultwire.Pass}, 3},
		"request lost":                    {[]faultwire.Fault{faultwire.LoseRequest, faultwire.Pass}, 2},
		"internal error":                  {[]faultwire.Fault{broken, faultwire.Pass}, 2},
		"conflict":                        {[]faultwire.Fault{conflict, faultwire.Pass}, 2},
		"four conflicts":                  {[]faultwire.Fault{conflict, conflict, conflict, conflict, faultwire.Pass}, 5},
		"response lost, then in progress": {[]faultwire.Fault{faultwire.LoseAnswer, inProgress, faultwire.Pass}, 3},
		"throttled":                       {[]faultwire.Fault{throttled, faultwire.Pass}, 2},
		"response lost, then throttled three times": {[]faultwire.Fault{faultwire.LoseAnswer, throttled, throttled, throttled, faultwire.Pass}, 5},
		"connection refused":                        {[]faultwire.Fault{faultwire.NoConnection, faultwire.Pass}, 2},
		"response lost, then conflict":              {[]faultwire.Fault{faultwire.LoseAnswer, conflict, faultwire.Pass}, 3},
		"throughput exceeded":                       {[]faultwire.Fault{faultwire.Canceled(faultwire.Reason{Code: "ThrottlingError"}, faultwire.Reason{Code: "None"}), faultwire.Pass}, 2},
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

// wantSameRequests fails the test unless there were n requests, each with the token.
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

func TestInsert_ErrorKind(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		faults []faultwire.Fault
		kind   apierror.Kind
	}{
		"throttled":                             {[]faultwire.Fault{throttled}, apierror.Throttled},
		"connection refused":                    {[]faultwire.Fault{faultwire.NoConnection}, apierror.Unavailable},
		"conflict":                              {[]faultwire.Fault{conflict}, apierror.Unavailable},
		"denied":                                {[]faultwire.Fault{denied}, apierror.Internal},
		"token of another request":              {[]faultwire.Fault{faultwire.Answer(http.StatusBadRequest, "IdempotentParameterMismatchException", nil)}, apierror.Internal},
		"no such table":                         {[]faultwire.Fault{faultwire.Answer(http.StatusBadRequest, "ResourceNotFoundException", nil)}, apierror.Internal},
		"invalid item":                          {[]faultwire.Fault{faultwire.Canceled(faultwire.Reason{Code: "ValidationError"}, faultwire.Reason{Code: "TransactionConflict"})}, apierror.Internal},
		"no response":                           {[]faultwire.Fault{faultwire.Hang}, apierror.UnknownOutcome},
		"internal error":                        {[]faultwire.Fault{broken}, apierror.UnknownOutcome},
		"reset":                                 {[]faultwire.Fault{faultwire.LoseRequest}, apierror.UnknownOutcome},
		"in progress":                           {[]faultwire.Fault{inProgress}, apierror.UnknownOutcome},
		"reset, then throttled":                 {[]faultwire.Fault{faultwire.LoseRequest, throttled}, apierror.UnknownOutcome},
		"reset, then connection refused":        {[]faultwire.Fault{faultwire.LoseRequest, faultwire.NoConnection}, apierror.UnknownOutcome},
		"reset, then conflict":                  {[]faultwire.Fault{faultwire.LoseRequest, conflict}, apierror.UnknownOutcome},
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

func TestInsert_NameConditionFailed(t *testing.T) {
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
		"own name":                       {[]faultwire.Fault{nameBelongsTo(d.ID)}, isDone},
		"reset, then own name":           {[]faultwire.Fault{faultwire.LoseRequest, nameBelongsTo(d.ID)}, isDone},
		"own item, name of another":      {[]faultwire.Fault{both}, isDone},
		"name of another":                {[]faultwire.Fault{nameBelongsTo("other")}, isNameTaken(apierror.Internal)},
		"conflict, then name of another": {[]faultwire.Fault{conflict, nameBelongsTo("other")}, isNameTaken(apierror.Internal)},
		"reset, then name of another":    {[]faultwire.Fault{faultwire.LoseRequest, nameBelongsTo("other")}, isNameTaken(apierror.UnknownOutcome)},
		"item not returned":              {[]faultwire.Fault{unnamed}, hasKind(apierror.Internal)},
		"reset, then item not returned":  {[]faultwire.Fault{faultwire.LoseRequest, unnamed}, hasKind(apierror.UnknownOutcome)},
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

func isDone(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func isNameTaken(kind apierror.Kind) func(*testing.T, error) {
	return func(t *testing.T, err error) {
		t.Helper()
		if !errors.Is(err, database.ErrNameTaken) {
			t.Fatalf("error %v, want ErrNameTaken", err)
		}
		wantKind(t, err, kind)
	}
}

func hasKind(kind apierror.Kind) func(*testing.T, error) {
	return func(t *testing.T, err error) {
		t.Helper()
		if errors.Is(err, database.ErrNameTaken) {
			t.Fatalf("error %v is ErrNameTaken", err)
		}
		wantKind(t, err, kind)
	}
}
