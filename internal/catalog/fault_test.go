package catalog_test

import (
	"context"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/apikey"
	"github.com/headgate/headgate/internal/testkit/faultwire"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

func TestARead(t *testing.T) {
	t.Parallel()
	missing := func(t *testing.T, err error) {
		t.Helper()
		wantKind(t, err, apierror.NotFound)
	}
	tests := map[string]struct {
		faults []faultwire.Fault
		check  func(*testing.T, error)
	}{
		"survives a lost answer":                   {[]faultwire.Fault{faultwire.LoseAnswer, faultwire.Pass}, missing},
		"survives throttling":                      {[]faultwire.Fault{throttled, throttled, faultwire.Pass}, missing},
		"always throttled is throttled":            {[]faultwire.Fault{throttled}, failed(apierror.Throttled)},
		"reset each time is unavailable":           {[]faultwire.Fault{faultwire.LoseAnswer}, failed(apierror.Unavailable)},
		"never answered is unavailable":            {[]faultwire.Fault{faultwire.Hang}, failed(apierror.Unavailable)},
		"an internal error each time: unavailable": {[]faultwire.Fault{broken}, failed(apierror.Unavailable)},
		"never connected is unavailable":           {[]faultwire.Fault{faultwire.NoConnection}, failed(apierror.Unavailable)},
		"denied is a defect":                       {[]faultwire.Fault{denied}, failed(apierror.Internal)},
		"reset, then denied is a defect":           {[]faultwire.Fault{faultwire.LoseAnswer, denied}, failed(apierror.Internal)},
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
		"always throttled is throttled": {[]faultwire.Fault{throttled}, failed(apierror.Throttled)},
		"always reset is unknown":       {[]faultwire.Fault{faultwire.LoseRequest}, failed(apierror.UnknownOutcome)},
		"reset, then denied is unknown": {[]faultwire.Fault{faultwire.LoseRequest, denied}, failed(apierror.UnknownOutcome)},
		"of a key just gone: not found": {[]faultwire.Fault{faultwire.Answer(400, "ConditionalCheckFailedException", nil)}, failed(apierror.NotFound)},
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
