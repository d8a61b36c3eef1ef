package catalog_test

import (
	"context"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apikey"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/storetest"
	"github.com/headgate/headgate/internal/storetest/faultwire"
)

func TestARead(t *testing.T) {
	t.Parallel()
	missing := func(t *testing.T, err error) {
		t.Helper()
		wantKind(t, err, database.NotFound)
	}
	tests := map[string]struct {
		faults []faultwire.Fault
		check  func(*testing.T, error)
	}{
		"survives a lost answer":                   {[]faultwire.Fault{faultwire.LoseAnswer, faultwire.Pass}, missing},
		"survives throttling":                      {[]faultwire.Fault{throttled, throttled, faultwire.Pass}, missing},
		"always throttled is throttled":            {[]faultwire.Fault{throttled}, failed(database.Throttled)},
		"reset each time is unavailable":           {[]faultwire.Fault{faultwire.LoseAnswer}, failed(database.Unavailable)},
		"never answered is unavailable":            {[]faultwire.Fault{faultwire.Hang}, failed(database.Unavailable)},
		"an internal error each time: unavailable": {[]faultwire.Fault{broken}, failed(database.Unavailable)},
		"never connected is unavailable":           {[]faultwire.Fault{faultwire.NoConnection}, failed(database.Unavailable)},
		"denied is a defect":                       {[]faultwire.Fault{denied}, failed(database.Internal)},
		"reset, then denied is a defect":           {[]faultwire.Fault{faultwire.LoseAnswer, denied}, failed(database.Internal)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab := newTable(t)
			tab.wire.Script("GetItem", test.faults...)
			ctx, cancel := context.WithTimeout(storetest.Context(t), time.Second)
			defer cancel()
			_, err := tab.catalog().NameOwner(ctx, storetest.Account(), "orders")
			test.check(t, err)
		})
	}
}

func TestARevocation(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		faults []faultwire.Fault
		check  func(*testing.T, error)
	}{
		"survives a lost answer":        {[]faultwire.Fault{faultwire.LoseAnswer, faultwire.Pass}, done},
		"survives a transaction":        {[]faultwire.Fault{faultwire.Answer(400, "TransactionConflictException", nil), faultwire.Pass}, done},
		"always throttled is throttled": {[]faultwire.Fault{throttled}, failed(database.Throttled)},
		"always reset is unknown":       {[]faultwire.Fault{faultwire.LoseRequest}, failed(database.UnknownOutcome)},
		"reset, then denied is unknown": {[]faultwire.Fault{faultwire.LoseRequest, denied}, failed(database.UnknownOutcome)},
		"of a key just gone: not found": {[]faultwire.Fault{faultwire.Answer(400, "ConditionalCheckFailedException", nil)}, failed(database.NotFound)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab := newTable(t)
			_, k := apikey.New(storetest.Account(), "deploys", time.Time{}, time.Now())
			if err := tab.catalog().Keys().Insert(storetest.Context(t), k); err != nil {
				t.Fatal(err)
			}
			tab.wire.Script("UpdateItem", test.faults...)
			ctx, cancel := context.WithTimeout(storetest.Context(t), time.Second)
			defer cancel()
			test.check(t, tab.catalog().Keys().Revoke(ctx, k.Account, k.ID, time.Now()))
		})
	}
}

func TestAnAPIKeyWhoseInsertLostItsAnswerIsKept(t *testing.T) {
	t.Parallel()
	tab := newTable(t)
	tab.wire.Script("TransactWriteItems", faultwire.LoseAnswer, faultwire.Pass)
	_, k := apikey.New(storetest.Account(), "deploys", time.Time{}, time.Now())
	if err := tab.catalog().Keys().Insert(storetest.Context(t), k); err != nil {
		t.Fatal(err)
	}
	wantSameRequests(t, tab.wire.Requests("TransactWriteItems"), 2, k.Hash[:36])
}
