package catalog_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/faultwire"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

// insertOne keeps a database in a new table.
func insertOne(t *testing.T) (table, database.Database) {
	t.Helper()
	tab, d := newTable(t), storetest.Database(storetest.Account(), "orders")
	if err := tab.catalog().Insert(storetest.Context(t), d, nil); err != nil {
		t.Fatal(err)
	}
	return tab, d
}

// next is a change of old, to that name.
func next(old database.Database, name string) database.Database {
	d := old
	d.Version++
	d.Name, d.Change, d.SecretVersion = name, storetest.ID(), storetest.ID()
	return d
}

// change is one of the writes that change a database that stands.
type change struct {
	do func(context.Context, table, database.Database) error
	// landed fails the test unless the change has been made, and once.
	landed func(*testing.T, table, database.Database)
}

// changes are an update, a rename and a delete of the database called orders.
func changes() map[string]change {
	return map[string]change{
		"update": changeTo("orders"), "rename": changeTo("other"), "delete": deletion(),
	}
}

func changeTo(name string) change {
	d := next(database.Database{}, name) // for its change
	of := func(old database.Database) database.Database {
		new := next(old, name)
		new.Change, new.SecretVersion = d.Change, d.SecretVersion
		return new
	}
	return change{
		do: func(ctx context.Context, tab table, old database.Database) error {
			return tab.catalog().Update(ctx, old, of(old))
		},
		landed: func(t *testing.T, tab table, old database.Database) {
			t.Helper()
			got, err := tab.catalog().Get(storetest.Context(t), old.Account, old.ID)
			if err != nil || got.Version != 2 || got.Change != d.Change || got.Name != name {
				t.Errorf("stored %+v, %v", got, err)
			}
			wantOwner(t, tab, old.Account, name, old.ID)
			if name != old.Name {
				wantOwner(t, tab, old.Account, old.Name, "")
			}
			wantOneToken(t, tab.wire.Requests("TransactWriteItems")[1:], d.Change)
		},
	}
}

func deletion() change {
	return change{
		do: func(ctx context.Context, tab table, old database.Database) error {
			return tab.catalog().Delete(ctx, old)
		},
		landed: func(t *testing.T, tab table, old database.Database) {
			t.Helper()
			_, err := tab.catalog().Get(storetest.Context(t), old.Account, old.ID)
			wantKind(t, err, apierror.NotFound)
			wantOwner(t, tab, old.Account, old.Name, "")
			wantOneToken(t, tab.wire.Requests("TransactWriteItems")[1:], "")
		},
	}
}

// wantOwner fails the test unless the name is that database's, empty for nobody's.
func wantOwner(t *testing.T, tab table, account, name, id string) {
	t.Helper()
	owner, err := tab.catalog().NameOwner(storetest.Context(t), account, name)
	if apierror.KindOf(err) == apierror.NotFound {
		err = nil
	}
	if err != nil || owner != id {
		t.Errorf("the name %s is %q's, %v, want %q", name, owner, err, id)
	}
}

// wantOneToken fails the test unless all requests have one token: that one, if it
// is not empty.
func wantOneToken(t *testing.T, bodies []string, token string) {
	t.Helper()
	for i, body := range bodies {
		var request struct{ ClientRequestToken string }
		if err := json.Unmarshal([]byte(body), &request); err != nil {
			t.Fatal(err)
		}
		if token == "" {
			token = request.ClientRequestToken
		}
		if request.ClientRequestToken != token || token == "" {
			t.Errorf("attempt %d has the token %q, want %q", i, request.ClientRequestToken, token)
		}
	}
}

func TestAChangeSurvives(t *testing.T) {
	t.Parallel()
	tests := map[string][]faultwire.Fault{
		"an answer lost after it was done":                {faultwire.LoseAnswer, faultwire.Pass},
		"two answers lost":                                {faultwire.LoseAnswer, faultwire.LoseAnswer, faultwire.Pass},
		"a request lost":                                  {faultwire.LoseRequest, faultwire.Pass},
		"an internal error":                               {broken, faultwire.Pass},
		"a conflict with another transaction":             {conflict, faultwire.Pass},
		"more conflicts than a throttled call has tries":  {conflict, conflict, conflict, conflict, faultwire.Pass},
		"itself still in progress":                        {faultwire.LoseAnswer, running, faultwire.Pass},
		"a throttled attempt":                             {throttled, faultwire.Pass},
		"more throttling than it has tries when in doubt": {faultwire.LoseAnswer, throttled, throttled, throttled, faultwire.Pass},
		"a refused connection":                            {faultwire.NoConnection, faultwire.Pass},
	}
	for name, faults := range tests {
		for kind, change := range changes() {
			t.Run(kind+" survives "+name, func(t *testing.T) {
				t.Parallel()
				tab, old := insertOne(t)
				tab.wire.Script("TransactWriteItems", faults...)
				if err := change.do(storetest.Context(t), tab, old); err != nil {
					t.Fatal(err)
				}
				change.landed(t, tab, old)
				if got := len(tab.wire.Requests("TransactWriteItems")) - 1; got != len(faults) {
					t.Errorf("%d attempts, want %d", got, len(faults))
				}
			})
		}
	}
}

func TestAChangeThatIsGivenUpSaysWhatIsKnownOfIt(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		faults []faultwire.Fault
		kind   apierror.Kind
	}{
		"always throttled":          {[]faultwire.Fault{throttled}, apierror.Throttled},
		"never connected":           {[]faultwire.Fault{faultwire.NoConnection}, apierror.Unavailable},
		"always in conflict":        {[]faultwire.Fault{conflict}, apierror.Unavailable},
		"denied":                    {[]faultwire.Fault{denied}, apierror.Internal},
		"a table that is not there": {[]faultwire.Fault{faultwire.Answer(http.StatusBadRequest, "ResourceNotFoundException", nil)}, apierror.Internal},
		"never answered":            {[]faultwire.Fault{faultwire.Hang}, apierror.UnknownOutcome},
		"always reset":              {[]faultwire.Fault{faultwire.LoseRequest}, apierror.UnknownOutcome},
		"done, and never answered":  {[]faultwire.Fault{faultwire.LoseAnswer, faultwire.Hang}, apierror.UnknownOutcome},
		"always in progress":        {[]faultwire.Fault{running}, apierror.UnknownOutcome},
		"reset, then throttled":     {[]faultwire.Fault{faultwire.LoseRequest, throttled}, apierror.UnknownOutcome},
		"reset, then denied":        {[]faultwire.Fault{faultwire.LoseRequest, denied}, apierror.UnknownOutcome},
	}
	for name, test := range tests {
		for kind, change := range changes() {
			t.Run(kind+" "+name, func(t *testing.T) {
				t.Parallel()
				tab, old := insertOne(t)
				tab.wire.Script("TransactWriteItems", test.faults...)
				ctx, cancel := context.WithTimeout(storetest.Context(t), time.Second/2)
				defer cancel()
				wantKind(t, change.do(ctx, tab, old), test.kind)
			})
		}
	}
}

// failing is the cancellation of a transaction for one of its items' conditions,
// with the string attributes that the item has, and its version.
func failing(place, of int, version int64, attributes map[string]string) faultwire.Fault {
	reasons := make([]faultwire.Reason, of)
	for i := range reasons {
		reasons[i].Code = "None"
	}
	reasons[place] = faultwire.Reason{Code: "ConditionalCheckFailed"}
	if attributes != nil {
		item := map[string]map[string]string{}
		for name, value := range attributes {
			item[name] = map[string]string{"S": value}
		}
		if version > 0 {
			item["version"] = map[string]string{"N": strconv.FormatInt(version, 10)}
		}
		reasons[place].Item = item
	}
	return faultwire.Canceled(reasons...)
}

// standing is the cancellation of a change for the database that stands.
func standing(version int64, change string) faultwire.Fault {
	return failing(0, 1, version, map[string]string{"change": change})
}

func TestACancelledUpdateLooksAtWhatStands(t *testing.T) {
	t.Parallel()
	old := storetest.Database(storetest.Account(), "orders")
	d := next(old, "orders")
	gone := failing(0, 1, 0, nil)
	tests := map[string]struct {
		faults []faultwire.Fault
		check  func(*testing.T, error)
	}{
		"its own change counts as done":                     {[]faultwire.Fault{standing(2, d.Change)}, done},
		"its own change after a reset counts as done":       {[]faultwire.Fault{faultwire.LoseRequest, standing(2, d.Change)}, done},
		"another change is a conflict":                      {[]faultwire.Fault{standing(2, "other")}, conflicting(apierror.Internal)},
		"another change at its version settles a reset":     {[]faultwire.Fault{faultwire.LoseRequest, standing(2, "other")}, conflicting(apierror.Internal)},
		"a later version is a conflict":                     {[]faultwire.Fault{standing(3, "other")}, conflicting(apierror.Internal)},
		"a later version leaves a reset attempt in doubt":   {[]faultwire.Fault{faultwire.LoseRequest, standing(3, "other")}, conflicting(apierror.UnknownOutcome)},
		"a database that is gone is a conflict":             {[]faultwire.Fault{gone}, conflicting(apierror.Internal)},
		"a database that is gone leaves a reset in doubt":   {[]faultwire.Fault{faultwire.LoseRequest, gone}, conflicting(apierror.UnknownOutcome)},
		"another change after a conflict leaves none":       {[]faultwire.Fault{conflict, standing(3, "other")}, conflicting(apierror.Internal)},
		"another change after a missing connection neither": {[]faultwire.Fault{faultwire.NoConnection, standing(3, "other")}, conflicting(apierror.Internal)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab := newTable(t)
			tab.wire.Script("TransactWriteItems", test.faults...)
			test.check(t, tab.catalog().Update(storetest.Context(t), old, d))
		})
	}
}

func conflicting(kind apierror.Kind) func(*testing.T, error) {
	return func(t *testing.T, err error) {
		t.Helper()
		if !errors.Is(err, database.ErrVersionConflict) {
			t.Fatalf("error %v, want ErrVersionConflict", err)
		}
		wantKind(t, err, kind)
	}
}

func notFound(t *testing.T, err error) {
	t.Helper()
	wantKind(t, err, apierror.NotFound)
}

// TestACancelledChangeIsJudgedByOneReason has the answer name the guards alone,
// since DynamoDB does not promise to evaluate every condition.
func TestACancelledChangeIsJudgedByOneReason(t *testing.T) {
	t.Parallel()
	ownGuard := func(d database.Database) faultwire.Fault {
		return failing(1, 3, 0, map[string]string{"database_id": d.ID})
	}
	othersGuard := func(database.Database) faultwire.Fault {
		return failing(1, 3, 0, map[string]string{"database_id": "other"})
	}
	oldGuardGone := func(database.Database) faultwire.Fault { return failing(2, 3, 0, nil) }
	guardGone := func(database.Database) faultwire.Fault { return failing(1, 2, 0, nil) }
	rename, remove := changes()["rename"], changes()["delete"]
	pass := func(database.Database) faultwire.Fault { return faultwire.Pass }
	lost := func(database.Database) faultwire.Fault { return faultwire.LoseAnswer }
	reset := func(database.Database) faultwire.Fault { return faultwire.LoseRequest }
	update := func(t *testing.T, tab table, d database.Database) {
		t.Helper()
		done(t, tab.catalog().Update(storetest.Context(t), d, next(d, "orders")))
	}
	vanish := func(t *testing.T, tab table, d database.Database) {
		t.Helper()
		done(t, tab.catalog().Delete(storetest.Context(t), d))
	}
	tests := map[string]struct {
		change  change
		prepare func(*testing.T, table, database.Database)
		faults  []func(database.Database) faultwire.Fault
		check   func(*testing.T, error)
	}{
		"another's new guard is a name taken":            {rename, nil, []func(database.Database) faultwire.Fault{othersGuard}, taken(apierror.Internal)},
		"another's new guard leaves a reset in doubt":    {rename, nil, []func(database.Database) faultwire.Fault{reset, othersGuard}, taken(apierror.UnknownOutcome)},
		"its own new guard after it landed":              {rename, nil, []func(database.Database) faultwire.Fault{lost, ownGuard, pass}, done},
		"its own new guard without having landed":        {rename, nil, []func(database.Database) faultwire.Fault{ownGuard}, failed(apierror.Internal)},
		"the same after a reset":                         {rename, nil, []func(database.Database) faultwire.Fault{reset, ownGuard}, failed(apierror.UnknownOutcome)},
		"its own new guard when another has changed it":  {rename, update, []func(database.Database) faultwire.Fault{ownGuard}, conflicting(apierror.Internal)},
		"the old guard gone after it landed":             {rename, nil, []func(database.Database) faultwire.Fault{lost, oldGuardGone}, done},
		"the old guard gone when another has changed it": {rename, update, []func(database.Database) faultwire.Fault{oldGuardGone}, conflicting(apierror.Internal)},
		"the old guard gone with the database":           {rename, vanish, []func(database.Database) faultwire.Fault{oldGuardGone}, conflicting(apierror.Internal)},
		"a deleted guard after it landed":                {remove, nil, []func(database.Database) faultwire.Fault{lost, guardGone}, done},
		"a deleted guard with the database":              {remove, vanish, []func(database.Database) faultwire.Fault{guardGone}, notFound},
		"a deleted guard when another has changed it":    {remove, update, []func(database.Database) faultwire.Fault{guardGone}, conflicting(apierror.Internal)},
		"a deleted guard without the deletion":           {remove, nil, []func(database.Database) faultwire.Fault{guardGone}, failed(apierror.Internal)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab, old := insertOne(t)
			if test.prepare != nil {
				test.prepare(t, tab, old)
			}
			var faults []faultwire.Fault
			for _, fault := range test.faults {
				faults = append(faults, fault(old))
			}
			tab.wire.Script("TransactWriteItems", faults...)
			test.check(t, test.change.do(storetest.Context(t), tab, old))
		})
	}
}

func TestACancelledDeleteLooksAtWhatStands(t *testing.T) {
	t.Parallel()
	gone := failing(0, 2, 0, nil)
	tests := map[string]struct {
		faults []faultwire.Fault
		check  func(*testing.T, error)
	}{
		"gone at first is not found":                  {[]faultwire.Fault{gone}, notFound},
		"gone after a conflict is not found":          {[]faultwire.Fault{conflict, gone}, notFound},
		"gone after a missing connection: not found":  {[]faultwire.Fault{faultwire.NoConnection, gone}, notFound},
		"gone after a reset counts as done":           {[]faultwire.Fault{faultwire.LoseRequest, gone}, done},
		"another version is a conflict":               {[]faultwire.Fault{standing(2, "other")}, conflicting(apierror.Internal)},
		"another version settles a reset as conflict": {[]faultwire.Fault{faultwire.LoseRequest, standing(2, "other")}, conflicting(apierror.Internal)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab := newTable(t)
			tab.wire.Script("TransactWriteItems", test.faults...)
			test.check(t, tab.catalog().Delete(storetest.Context(t), storetest.Database(storetest.Account(), "orders")))
		})
	}
}

func TestTwoDeletesOfOneDatabaseHaveTheirOwnTokens(t *testing.T) {
	t.Parallel()
	tab, d := insertOne(t)
	done(t, tab.catalog().Delete(storetest.Context(t), d))
	notFound(t, tab.catalog().Delete(storetest.Context(t), d))
	requests := tab.wire.Requests("TransactWriteItems")
	if requests[1] == requests[2] {
		t.Error("the second has the first one's token, and would have its success")
	}
}
