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

func TestAClaimSurvives(t *testing.T) {
	t.Parallel()
	tests := map[string][]faultwire.Fault{
		"an answer lost after it was done":   {faultwire.LoseAnswer, faultwire.Pass},
		"two answers lost":                   {faultwire.LoseAnswer, faultwire.LoseAnswer, faultwire.Pass},
		"a request lost":                     {faultwire.LoseRequest, faultwire.Pass},
		"an internal error":                  {broken, faultwire.Pass},
		"throttling":                         {throttled, throttled, faultwire.Pass},
		"a transaction":                      {inTransaction, inTransaction, inTransaction, inTransaction, faultwire.Pass},
		"a refused connection":               {faultwire.NoConnection, faultwire.Pass},
		"a lost answer and then throttling":  {faultwire.LoseAnswer, throttled, throttled, throttled, faultwire.Pass},
		"a lost answer and then transaction": {faultwire.LoseAnswer, inTransaction, faultwire.Pass},
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

func TestAClaimTakenByAnotherMeanwhileIsTheOthers(t *testing.T) {
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

func TestAReleaseSurvives(t *testing.T) {
	t.Parallel()
	tests := map[string][]faultwire.Fault{
		"an answer lost after it was done": {faultwire.LoseAnswer, faultwire.Pass},
		"a request lost":                   {faultwire.LoseRequest, faultwire.Pass},
		"throttling":                       {throttled, faultwire.Pass},
		"a transaction":                    {inTransaction, faultwire.Pass},
	}
	for name, faults := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab, c := newTable(t), newClaim()
			if _, err := tab.catalog().Claim(storetest.Context(t), c); err != nil {
				t.Fatal(err)
			}
			tab.wire.Script("DeleteItem", faults...)
			done(t, tab.catalog().Release(storetest.Context(t), c))
			if i := tab.item(t, "account#"+c.Account, "request#"+c.Key); len(i) != 0 {
				t.Errorf("left %v", i)
			}
		})
	}
}

func TestAClaimThatIsGivenUpSaysWhatIsKnownOfIt(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		faults []faultwire.Fault
		kind   apierror.Kind
	}{
		"always throttled":          {[]faultwire.Fault{throttled}, apierror.Throttled},
		"never connected":           {[]faultwire.Fault{faultwire.NoConnection}, apierror.Unavailable},
		"always in a transaction":   {[]faultwire.Fault{inTransaction}, apierror.Unavailable},
		"denied":                    {[]faultwire.Fault{denied}, apierror.Internal},
		"never answered":            {[]faultwire.Fault{faultwire.Hang}, apierror.UnknownOutcome},
		"always reset":              {[]faultwire.Fault{faultwire.LoseRequest}, apierror.UnknownOutcome},
		"done, and never answered":  {[]faultwire.Fault{faultwire.LoseAnswer, faultwire.Hang}, apierror.UnknownOutcome},
		"reset, then throttled":     {[]faultwire.Fault{faultwire.LoseRequest, throttled}, apierror.UnknownOutcome},
		"reset, then denied":        {[]faultwire.Fault{faultwire.LoseRequest, denied}, apierror.UnknownOutcome},
		"reset, then a transaction": {[]faultwire.Fault{faultwire.LoseRequest, inTransaction}, apierror.UnknownOutcome},
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

func TestAnInsertWithAClaimSurvivesLostAnswers(t *testing.T) {
	t.Parallel()
	tab, c := newTable(t), newClaim()
	if _, err := tab.catalog().Claim(storetest.Context(t), c); err != nil {
		t.Fatal(err)
	}
	d := storetest.Database(c.Account, "orders")
	tab.wire.Script("TransactWriteItems", faultwire.LoseAnswer, conflict, running, faultwire.Pass)
	done(t, tab.catalog().Insert(storetest.Context(t), d, &c))
	got, err := tab.catalog().Claim(storetest.Context(t), c)
	if err != nil || got.Result == nil || !reflect.DeepEqual(*got.Result, d) {
		t.Errorf("result %+v, %v", got.Result, err)
	}
	wantSameRequests(t, tab.wire.Requests("TransactWriteItems"), 4, d.ID)
}

// TestAnInsertThatLandedUnseenIsDoneWhateverCameAfter has its database deleted,
// and the name taken by another, before the second attempt.
func TestAnInsertThatLandedUnseenIsDoneWhateverCameAfter(t *testing.T) {
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
	done(t, tab.catalog().Insert(storetest.Context(t), d, &c))
	wantOwner(t, tab, c.Account, "orders", other.ID)
}

func TestACancelledInsertLooksAtItsClaim(t *testing.T) {
	t.Parallel()
	c := newClaim()
	d := storetest.Database(c.Account, "orders")
	record := func(attributes map[string]string) faultwire.Fault { return failing(2, 3, 0, attributes) }
	own := record(map[string]string{"owner": c.Owner, "database": d.ID, "result": "{}"})
	others := record(map[string]string{"owner": "other"})
	nobodys := record(nil)
	both := faultwire.Canceled(faultwire.Reason{Code: "None"},
		faultwire.Reason{Code: "ConditionalCheckFailed", Item: map[string]map[string]string{"database_id": {"S": "other"}}},
		faultwire.Reason{Code: "ConditionalCheckFailed", Item: map[string]map[string]string{"owner": {"S": "other"}}})
	tests := map[string]struct {
		faults []faultwire.Fault
		check  func(*testing.T, error)
	}{
		"its own result counts as done":                    {[]faultwire.Fault{own}, done},
		"its own result after a reset counts as done":      {[]faultwire.Fault{faultwire.LoseRequest, own}, done},
		"another's claim is a claim lost":                  {[]faultwire.Fault{others}, lostClaim},
		"another's claim settles a reset":                  {[]faultwire.Fault{faultwire.LoseRequest, others}, lostClaim},
		"nobody's claim is a claim lost":                   {[]faultwire.Fault{nobodys}, lostClaim},
		"nobody's claim settles a reset":                   {[]faultwire.Fault{faultwire.LoseRequest, nobodys}, lostClaim},
		"another's claim and guard are a claim lost":       {[]faultwire.Fault{both}, lostClaim},
		"another's claim and guard settle a reset":         {[]faultwire.Fault{faultwire.LoseRequest, both}, lostClaim},
		"another's guard with its own claim: a name taken": {[]faultwire.Fault{guarded("other")}, taken(apierror.Internal)},
		"the same after a reset leaves it in doubt":        {[]faultwire.Fault{faultwire.LoseRequest, guarded("other")}, taken(apierror.UnknownOutcome)},
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

// lostClaim fails the test unless the claim is lost, and the insert with it.
func lostClaim(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, database.ErrClaimLost) || apierror.KindOf(err) == apierror.UnknownOutcome {
		t.Fatalf("error %v, want ErrClaimLost", err)
	}
}
