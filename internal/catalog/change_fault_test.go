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

// insertOne inserts a database into a new table.
func insertOne(t *testing.T) (table, database.Database) {
	t.Helper()
	tab, d := newTable(t), storetest.Database(storetest.Account(), "orders")
	if err := tab.catalog().Insert(storetest.Context(t), d, nil); err != nil {
		t.Fatal(err)
	}
	return tab, d
}

// next returns the next version of old, with that name.
func next(old database.Database, name string) database.Database {
	d := old
	d.Version++
	d.Name, d.Change, d.SecretVersion = name, storetest.ID(), storetest.ID()
	return d
}

// change is a write to an existing database.
type change struct {
	do func(context.Context, table, database.Database) error
	// committed fails the test unless the change was made exactly once.
	committed func(*testing.T, table, database.Database)
}

// changes returns an update, a rename and a delete of the database orders.
func changes() map[string]change {
	return map[string]change{
		"update": changeTo("orders"), "rename": changeTo("other"), "delete": deletion(),
	}
}

func changeTo(name string) change {
	d := next(database.Database{}, name) // for its change ID
	of := func(old database.Database) database.Database {
		new := next(old, name)
		new.Change, new.SecretVersion = d.Change, d.SecretVersion
		return new
	}
	return change{
		do: func(ctx context.Context, tab table, old database.Database) error {
			return tab.catalog().Update(ctx, old, of(old))
		},
		committed: func(t *testing.T, tab table, old database.Database) {
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
		committed: func(t *testing.T, tab table, old database.Database) {
			t.Helper()
			_, err := tab.catalog().Get(storetest.Context(t), old.Account, old.ID)
			wantKind(t, err, apierror.NotFound)
			wantOwner(t, tab, old.Account, old.Name, "")
			wantOneToken(t, tab.wire.Requests("TransactWriteItems")[1:], "")
		},
	}
}

// wantOwner fails the test unless the name belongs to the database, which is empty
// for none.
func wantOwner(t *testing.T, tab table, account, name, id string) {
	t.Helper()
	owner, err := tab.catalog().NameOwner(storetest.Context(t), account, name)
	if apierror.KindOf(err) == apierror.NotFound {
		err = nil
	}
	if err != nil || owner != id {
		t.Errorf("name %s belongs to %q, %v, want %q", name, owner, err, id)
	}
}

// wantOneToken fails the test unless all requests have the same token, which is
// token unless that is empty.
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

func TestUpdateAndDelete_Retries(t *testing.T) {
	t.Parallel()
	tests := map[string][]faultwire.Fault{
		"response lost":                   {faultwire.LoseAnswer, faultwire.Pass},
		"two responses lost":              {faultwire.LoseAnswer, faultwire.LoseAnswer, faultwire.Pass},
		"request lost":                    {faultwire.LoseRequest, faultwire.Pass},
		"internal error":                  {broken, faultwire.Pass},
		"conflict":                        {conflict, faultwire.Pass},
		"four conflicts":                  {conflict, conflict, conflict, conflict, faultwire.Pass},
		"response lost, then in progress": {faultwire.LoseAnswer, inProgress, faultwire.Pass},
		"throttled":                       {throttled, faultwire.Pass},
		"response lost, then throttled three times": {faultwire.LoseAnswer, throttled, throttled, throttled, faultwire.Pass},
		"connection refused":                        {faultwire.NoConnection, faultwire.Pass},
	}
	for name, faults := range tests {
		for kind, change := range changes() {
			t.Run(kind+", "+name, func(t *testing.T) {
				t.Parallel()
				tab, old := insertOne(t)
				tab.wire.Script("TransactWriteItems", faults...)
				if err := change.do(storetest.Context(t), tab, old); err != nil {
					t.Fatal(err)
				}
				change.committed(t, tab, old)
				if got := len(tab.wire.Requests("TransactWriteItems")) - 1; got != len(faults) {
					t.Errorf("%d attempts, want %d", got, len(faults))
				}
			})
		}
	}
}

func TestUpdateAndDelete_ErrorKind(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		faults []faultwire.Fault
		kind   apierror.Kind
	}{
		"throttled":                       {[]faultwire.Fault{throttled}, apierror.Throttled},
		"connection refused":              {[]faultwire.Fault{faultwire.NoConnection}, apierror.Unavailable},
		"conflict":                        {[]faultwire.Fault{conflict}, apierror.Unavailable},
		"denied":                          {[]faultwire.Fault{denied}, apierror.Internal},
		"no such table":                   {[]faultwire.Fault{faultwire.Answer(http.StatusBadRequest, "ResourceNotFoundException", nil)}, apierror.Internal},
		"no response":                     {[]faultwire.Fault{faultwire.Hang}, apierror.UnknownOutcome},
		"reset":                           {[]faultwire.Fault{faultwire.LoseRequest}, apierror.UnknownOutcome},
		"response lost, then no response": {[]faultwire.Fault{faultwire.LoseAnswer, faultwire.Hang}, apierror.UnknownOutcome},
		"in progress":                     {[]faultwire.Fault{inProgress}, apierror.UnknownOutcome},
		"reset, then throttled":           {[]faultwire.Fault{faultwire.LoseRequest, throttled}, apierror.UnknownOutcome},
		"reset, then denied":              {[]faultwire.Fault{faultwire.LoseRequest, denied}, apierror.UnknownOutcome},
	}
	for name, test := range tests {
		for kind, change := range changes() {
			t.Run(kind+", "+name, func(t *testing.T) {
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

// conditionFailed cancels a transaction of n items because of the condition of the
// item at index. The existing item has the attributes, and the version unless that
// is 0; without attributes there is none.
func conditionFailed(index, n int, version int64, attributes map[string]string) faultwire.Fault {
	reasons := make([]faultwire.Reason, n)
	for i := range reasons {
		reasons[i].Code = "None"
	}
	reasons[index] = faultwire.Reason{Code: "ConditionalCheckFailed"}
	if attributes != nil {
		item := map[string]map[string]string{}
		for name, value := range attributes {
			item[name] = map[string]string{"S": value}
		}
		if version > 0 {
			item["version"] = map[string]string{"N": strconv.FormatInt(version, 10)}
		}
		reasons[index].Item = item
	}
	return faultwire.Canceled(reasons...)
}

// versionIs cancels a change because the database has that version, which comes from
// that change.
func versionIs(version int64, change string) faultwire.Fault {
	return conditionFailed(0, 1, version, map[string]string{"change": change})
}

func TestUpdate_VersionConditionFailed(t *testing.T) {
	t.Parallel()
	old := storetest.Database(storetest.Account(), "orders")
	d := next(old, "orders")
	gone := conditionFailed(0, 1, 0, nil)
	tests := map[string]struct {
		faults []faultwire.Fault
		check  func(*testing.T, error)
	}{
		"own change":             {[]faultwire.Fault{versionIs(2, d.Change)}, isDone},
		"reset, then own change": {[]faultwire.Fault{faultwire.LoseRequest, versionIs(2, d.Change)}, isDone},
		"another change":         {[]faultwire.Fault{versionIs(2, "other")}, isVersionConflict(apierror.Internal)},
		"reset, then another change at the same version": {[]faultwire.Fault{faultwire.LoseRequest, versionIs(2, "other")}, isVersionConflict(apierror.Internal)},
		"later version":                          {[]faultwire.Fault{versionIs(3, "other")}, isVersionConflict(apierror.Internal)},
		"reset, then later version":              {[]faultwire.Fault{faultwire.LoseRequest, versionIs(3, "other")}, isVersionConflict(apierror.UnknownOutcome)},
		"database gone":                          {[]faultwire.Fault{gone}, isVersionConflict(apierror.Internal)},
		"reset, then database gone":              {[]faultwire.Fault{faultwire.LoseRequest, gone}, isVersionConflict(apierror.UnknownOutcome)},
		"conflict, then later version":           {[]faultwire.Fault{conflict, versionIs(3, "other")}, isVersionConflict(apierror.Internal)},
		"connection refused, then later version": {[]faultwire.Fault{faultwire.NoConnection, versionIs(3, "other")}, isVersionConflict(apierror.Internal)},
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

func isVersionConflict(kind apierror.Kind) func(*testing.T, error) {
	return func(t *testing.T, err error) {
		t.Helper()
		if !errors.Is(err, database.ErrVersionConflict) {
			t.Fatalf("error %v, want ErrVersionConflict", err)
		}
		wantKind(t, err, kind)
	}
}

func isNotFound(t *testing.T, err error) {
	t.Helper()
	wantKind(t, err, apierror.NotFound)
}

// The responses contain the guards alone, because DynamoDB need not evaluate every
// condition.
func TestUpdateAndDelete_GuardConditionFailed(t *testing.T) {
	t.Parallel()
	ownGuard := func(d database.Database) faultwire.Fault {
		return conditionFailed(1, 3, 0, map[string]string{"database_id": d.ID})
	}
	othersGuard := func(database.Database) faultwire.Fault {
		return conditionFailed(1, 3, 0, map[string]string{"database_id": "other"})
	}
	oldGuardGone := func(database.Database) faultwire.Fault { return conditionFailed(2, 3, 0, nil) }
	guardGone := func(database.Database) faultwire.Fault { return conditionFailed(1, 2, 0, nil) }
	rename, remove := changes()["rename"], changes()["delete"]
	pass := func(database.Database) faultwire.Fault { return faultwire.Pass }
	lost := func(database.Database) faultwire.Fault { return faultwire.LoseAnswer }
	reset := func(database.Database) faultwire.Fault { return faultwire.LoseRequest }
	update := func(t *testing.T, tab table, d database.Database) {
		t.Helper()
		isDone(t, tab.catalog().Update(storetest.Context(t), d, next(d, "orders")))
	}
	vanish := func(t *testing.T, tab table, d database.Database) {
		t.Helper()
		isDone(t, tab.catalog().Delete(storetest.Context(t), d))
	}
	tests := map[string]struct {
		change  change
		prepare func(*testing.T, table, database.Database)
		faults  []func(database.Database) faultwire.Fault
		check   func(*testing.T, error)
	}{
		"rename, name of another":                       {rename, nil, []func(database.Database) faultwire.Fault{othersGuard}, isNameTaken(apierror.Internal)},
		"rename, reset, then name of another":           {rename, nil, []func(database.Database) faultwire.Fault{reset, othersGuard}, isNameTaken(apierror.UnknownOutcome)},
		"rename, response lost, then own name":          {rename, nil, []func(database.Database) faultwire.Fault{lost, ownGuard, pass}, isDone},
		"rename, own name without a commit":             {rename, nil, []func(database.Database) faultwire.Fault{ownGuard}, hasKind(apierror.Internal)},
		"rename, reset, then own name without a commit": {rename, nil, []func(database.Database) faultwire.Fault{reset, ownGuard}, hasKind(apierror.UnknownOutcome)},
		"rename, own name after another change":         {rename, update, []func(database.Database) faultwire.Fault{ownGuard}, isVersionConflict(apierror.Internal)},
		"rename, response lost, then old name gone":     {rename, nil, []func(database.Database) faultwire.Fault{lost, oldGuardGone}, isDone},
		"rename, old name gone after another change":    {rename, update, []func(database.Database) faultwire.Fault{oldGuardGone}, isVersionConflict(apierror.Internal)},
		"rename, old name gone with the database":       {rename, vanish, []func(database.Database) faultwire.Fault{oldGuardGone}, isVersionConflict(apierror.Internal)},
		"delete, response lost, then name gone":         {remove, nil, []func(database.Database) faultwire.Fault{lost, guardGone}, isDone},
		"delete, name gone with the database":           {remove, vanish, []func(database.Database) faultwire.Fault{guardGone}, isNotFound},
		"delete, name gone after another change":        {remove, update, []func(database.Database) faultwire.Fault{guardGone}, isVersionConflict(apierror.Internal)},
		"delete, name gone without a commit":            {remove, nil, []func(database.Database) faultwire.Fault{guardGone}, hasKind(apierror.Internal)},
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

func TestDelete_VersionConditionFailed(t *testing.T) {
	t.Parallel()
	gone := conditionFailed(0, 2, 0, nil)
	tests := map[string]struct {
		faults []faultwire.Fault
		check  func(*testing.T, error)
	}{
		"gone":                          {[]faultwire.Fault{gone}, isNotFound},
		"conflict, then gone":           {[]faultwire.Fault{conflict, gone}, isNotFound},
		"connection refused, then gone": {[]faultwire.Fault{faultwire.NoConnection, gone}, isNotFound},
		"reset, then gone":              {[]faultwire.Fault{faultwire.LoseRequest, gone}, isDone},
		"another version":               {[]faultwire.Fault{versionIs(2, "other")}, isVersionConflict(apierror.Internal)},
		"reset, then another version":   {[]faultwire.Fault{faultwire.LoseRequest, versionIs(2, "other")}, isVersionConflict(apierror.Internal)},
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

func TestDelete_TokenIsNew(t *testing.T) {
	t.Parallel()
	tab, d := insertOne(t)
	isDone(t, tab.catalog().Delete(storetest.Context(t), d))
	isNotFound(t, tab.catalog().Delete(storetest.Context(t), d))
	requests := tab.wire.Requests("TransactWriteItems")
	if requests[1] == requests[2] {
		t.Error("the second delete has the token of the first, and would get its success")
	}
}
