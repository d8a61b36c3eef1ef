package catalog_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/faultwire"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

var inTransaction = faultwire.Answer(http.StatusBadRequest, "TransactionConflictException", nil)

func newClaim() database.Claim {
	return database.Claim{
		Account: storetest.Account(), Key: storetest.ID(), Owner: storetest.ID(), PayloadHash: storetest.ID(),
		ClaimedAt: time.Date(2026, 3, 4, 5, 6, 7, 120_000_000, time.UTC),
	}
}

func TestClaim_Retries(t *testing.T) {
	t.Parallel()
	tests := map[string][]faultwire.Fault{
		"response lost":                            {faultwire.LoseAnswer, faultwire.Pass},
		"two responses lost":                       {faultwire.LoseAnswer, faultwire.LoseAnswer, faultwire.Pass},
		"request lost":                             {faultwire.LoseRequest, faultwire.Pass},
		"internal error":                           {broken, faultwire.Pass},
		"throttled":                                {throttled, throttled, faultwire.Pass},
		"transaction conflict":                     {inTransaction, inTransaction, inTransaction, inTransaction, faultwire.Pass},
		"connection refused":                       {faultwire.NoConnection, faultwire.Pass},
		"response lost, then throttled":            {faultwire.LoseAnswer, throttled, throttled, throttled, faultwire.Pass},
		"response lost, then transaction conflict": {faultwire.LoseAnswer, inTransaction, faultwire.Pass},
	}
	for name, faults := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab, c := newTable(t), newClaim()
			tab.wire.Script("PutItem", faults...)
			got, err := tab.catalog().Claim(storetest.Context(t), c)
			if err != nil || !reflect.DeepEqual(got, c) {
				t.Fatalf("claim %+v, %v, want %+v", got, err, c)
			}
			if got := len(tab.wire.Requests("PutItem")); got != len(faults) {
				t.Errorf("%d attempts, want %d", got, len(faults))
			}
			rival := c
			rival.Owner = "rival"
			if got, err := tab.catalog().Claim(storetest.Context(t), rival); err != nil || got.Owner != c.Owner {
				t.Errorf("the rival finds %+v, %v", got, err)
			}
		})
	}
}

func TestClaim_TakenByAnother(t *testing.T) {
	t.Parallel()
	tab, c := newTable(t), newClaim()
	rival := c
	rival.Owner = "rival"
	if _, err := tab.catalog().Claim(storetest.Context(t), rival); err != nil {
		t.Fatal(err)
	}
	tab.wire.Script("PutItem", faultwire.LoseRequest, faultwire.Pass)
	got, err := tab.catalog().Claim(storetest.Context(t), c)
	if err != nil || !reflect.DeepEqual(got, rival) {
		t.Errorf("claim %+v, %v, want %+v", got, err, rival)
	}
}

func TestRelease_Retries(t *testing.T) {
	t.Parallel()
	tests := map[string][]faultwire.Fault{
		"response lost":        {faultwire.LoseAnswer, faultwire.Pass},
		"request lost":         {faultwire.LoseRequest, faultwire.Pass},
		"throttled":            {throttled, faultwire.Pass},
		"transaction conflict": {inTransaction, faultwire.Pass},
	}
	for name, faults := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab, c := newTable(t), newClaim()
			if _, err := tab.catalog().Claim(storetest.Context(t), c); err != nil {
				t.Fatal(err)
			}
			tab.wire.Script("DeleteItem", faults...)
			isDone(t, tab.catalog().Release(storetest.Context(t), c))
			if i := tab.item(t, "account#"+c.Account, "request#"+c.Key); len(i) != 0 {
				t.Errorf("item %v remains", i)
			}
		})
	}
}

func TestClaimAndRelease_ErrorKind(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		faults []faultwire.Fault
		kind   apierror.Kind
	}{
		"throttled":                        {[]faultwire.Fault{throttled}, apierror.Throttled},
		"connection refused":               {[]faultwire.Fault{faultwire.NoConnection}, apierror.Unavailable},
		"transaction conflict":             {[]faultwire.Fault{inTransaction}, apierror.Unavailable},
		"denied":                           {[]faultwire.Fault{denied}, apierror.Internal},
		"no response":                      {[]faultwire.Fault{faultwire.Hang}, apierror.UnknownOutcome},
		"reset":                            {[]faultwire.Fault{faultwire.LoseRequest}, apierror.UnknownOutcome},
		"response lost, then no response":  {[]faultwire.Fault{faultwire.LoseAnswer, faultwire.Hang}, apierror.UnknownOutcome},
		"reset, then throttled":            {[]faultwire.Fault{faultwire.LoseRequest, throttled}, apierror.UnknownOutcome},
		"reset, then denied":               {[]faultwire.Fault{faultwire.LoseRequest, denied}, apierror.UnknownOutcome},
		"reset, then transaction conflict": {[]faultwire.Fault{faultwire.LoseRequest, inTransaction}, apierror.UnknownOutcome},
	}
	calls := map[string]func(context.Context, table, database.Claim) error{
		"PutItem": func(ctx context.Context, tab table, c database.Claim) error {
			_, err := tab.catalog().Claim(ctx, c)
			return err
		},
		"DeleteItem": func(ctx context.Context, tab table, c database.Claim) error { return tab.catalog().Release(ctx, c) },
	}
	for name, test := range tests {
		for operation, call := range calls {
			t.Run(operation+" "+name, func(t *testing.T) {
				t.Parallel()
				tab := newTable(t)
				tab.wire.Script(operation, test.faults...)
				ctx, cancel := context.WithTimeout(storetest.Context(t), time.Second/2)
				defer cancel()
				wantKind(t, call(ctx, tab, newClaim()), test.kind)
			})
		}
	}
}

func TestInsert_WithClaimRetries(t *testing.T) {
	t.Parallel()
	tab, c := newTable(t), newClaim()
	if _, err := tab.catalog().Claim(storetest.Context(t), c); err != nil {
		t.Fatal(err)
	}
	d := storetest.Database(c.Account, "orders")
	tab.wire.Script("TransactWriteItems", faultwire.LoseAnswer, conflict, inProgress, faultwire.Pass)
	isDone(t, tab.catalog().Insert(storetest.Context(t), d, &c))
	got, err := tab.catalog().Claim(storetest.Context(t), c)
	if err != nil || got.Result == nil || !reflect.DeepEqual(*got.Result, d) {
		t.Errorf("result %+v, %v", got.Result, err)
	}
	wantSameRequests(t, tab.wire.Requests("TransactWriteItems"), 4, d.ID)
}

// Before the second attempt, the database is deleted and another takes its name.
func TestInsert_CommittedAndThenDeleted(t *testing.T) {
	t.Parallel()
	tab, c := newTable(t), newClaim()
	if _, err := tab.catalog().Claim(storetest.Context(t), c); err != nil {
		t.Fatal(err)
	}
	d, other := storetest.Database(c.Account, "orders"), storetest.Database(c.Account, "orders")
	meanwhile := func(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		tab.wire.Script("TransactWriteItems", faultwire.Pass)
		err := errors.Join(tab.catalog().Delete(r.Context(), d), tab.catalog().Insert(r.Context(), other, nil))
		if err != nil {
			return nil, err
		}
		return send(r)
	}
	tab.wire.Script("TransactWriteItems", faultwire.LoseAnswer, meanwhile)
	isDone(t, tab.catalog().Insert(storetest.Context(t), d, &c))
	wantOwner(t, tab, c.Account, "orders", other.ID)
}

func TestInsert_ClaimConditionFailed(t *testing.T) {
	t.Parallel()
	c := newClaim()
	d := storetest.Database(c.Account, "orders")
	record := func(attributes map[string]string) faultwire.Fault { return conditionFailed(2, 3, 0, attributes) }
	own := record(map[string]string{"owner": c.Owner, "database": d.ID, "result": "{}"})
	others := record(map[string]string{"owner": "other"})
	none := record(nil)
	both := faultwire.Canceled(faultwire.Reason{Code: "None"},
		faultwire.Reason{Code: "ConditionalCheckFailed", Item: map[string]map[string]string{"database_id": {"S": "other"}}},
		faultwire.Reason{Code: "ConditionalCheckFailed", Item: map[string]map[string]string{"owner": {"S": "other"}}})
	tests := map[string]struct {
		faults []faultwire.Fault
		check  func(*testing.T, error)
	}{
		"own result":                            {[]faultwire.Fault{own}, isDone},
		"reset, then own result":                {[]faultwire.Fault{faultwire.LoseRequest, own}, isDone},
		"claim of another":                      {[]faultwire.Fault{others}, isClaimLost},
		"reset, then claim of another":          {[]faultwire.Fault{faultwire.LoseRequest, others}, isClaimLost},
		"no claim":                              {[]faultwire.Fault{none}, isClaimLost},
		"reset, then no claim":                  {[]faultwire.Fault{faultwire.LoseRequest, none}, isClaimLost},
		"claim and name of another":             {[]faultwire.Fault{both}, isClaimLost},
		"reset, then claim and name of another": {[]faultwire.Fault{faultwire.LoseRequest, both}, isClaimLost},
		"name of another":                       {[]faultwire.Fault{nameBelongsTo("other")}, isNameTaken(apierror.Internal)},
		"reset, then name of another":           {[]faultwire.Fault{faultwire.LoseRequest, nameBelongsTo("other")}, isNameTaken(apierror.UnknownOutcome)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab := newTable(t)
			tab.wire.Script("TransactWriteItems", test.faults...)
			test.check(t, tab.catalog().Insert(storetest.Context(t), d, &c))
		})
	}
}

// isClaimLost fails the test unless the claim is lost and nothing was stored.
func isClaimLost(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, database.ErrClaimLost) || apierror.KindOf(err) == apierror.UnknownOutcome {
		t.Fatalf("error %v, want ErrClaimLost", err)
	}
}
