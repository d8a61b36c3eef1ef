package catalog_test

import (
	"context"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/testkit/faultwire"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

func TestNameOwner_Faults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		faults []faultwire.Fault
		check  func(*testing.T, error)
	}{
		"response lost":      {[]faultwire.Fault{faultwire.LoseAnswer, faultwire.Pass}, isNotFound},
		"throttled twice":    {[]faultwire.Fault{throttled, throttled, faultwire.Pass}, isNotFound},
		"throttled":          {[]faultwire.Fault{throttled}, hasKind(apierror.Throttled)},
		"reset":              {[]faultwire.Fault{faultwire.LoseAnswer}, hasKind(apierror.Unavailable)},
		"no response":        {[]faultwire.Fault{faultwire.Hang}, hasKind(apierror.Unavailable)},
		"internal error":     {[]faultwire.Fault{broken}, hasKind(apierror.Unavailable)},
		"connection refused": {[]faultwire.Fault{faultwire.NoConnection}, hasKind(apierror.Unavailable)},
		"denied":             {[]faultwire.Fault{denied}, hasKind(apierror.Internal)},
		"reset, then denied": {[]faultwire.Fault{faultwire.LoseAnswer, denied}, hasKind(apierror.Internal)},
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

func TestRevoke_Faults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		faults []faultwire.Fault
		check  func(*testing.T, error)
	}{
		"response lost":          {[]faultwire.Fault{faultwire.LoseAnswer, faultwire.Pass}, isDone},
		"transaction conflict":   {[]faultwire.Fault{faultwire.Answer(400, "TransactionConflictException", nil), faultwire.Pass}, isDone},
		"throttled":              {[]faultwire.Fault{throttled}, hasKind(apierror.Throttled)},
		"reset":                  {[]faultwire.Fault{faultwire.LoseRequest}, hasKind(apierror.UnknownOutcome)},
		"reset, then denied":     {[]faultwire.Fault{faultwire.LoseRequest, denied}, hasKind(apierror.UnknownOutcome)},
		"key deleted by its TTL": {[]faultwire.Fault{faultwire.Answer(400, "ConditionalCheckFailedException", nil)}, hasKind(apierror.NotFound)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab := newTable(t)
			k := newKey()
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

func TestRecordUse_Faults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault faultwire.Fault
		check func(*testing.T, error)
	}{
		"another invocation was first": {faultwire.Answer(400, "ConditionalCheckFailedException", nil), isDone},
		"throttled":                    {throttled, hasKind(apierror.Throttled)},
		"reset":                        {faultwire.LoseRequest, hasKind(apierror.UnknownOutcome)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab, k := newTable(t), newKey()
			if err := tab.catalog().Keys().Insert(storetest.Context(t), k); err != nil {
				t.Fatal(err)
			}
			tab.wire.Script("UpdateItem", test.fault)
			ctx, cancel := context.WithTimeout(storetest.Context(t), time.Second)
			defer cancel()
			test.check(t, tab.catalog().Keys().RecordUse(ctx, k.Hash, "2026-03-04"))
		})
	}
}

func TestKeysInsert_ResponseLost(t *testing.T) {
	t.Parallel()
	tab := newTable(t)
	tab.wire.Script("TransactWriteItems", faultwire.LoseAnswer, faultwire.Pass)
	k := newKey()
	if err := tab.catalog().Keys().Insert(storetest.Context(t), k); err != nil {
		t.Fatal(err)
	}
	wantSameRequests(t, tab.wire.Requests("TransactWriteItems"), 2, k.Hash[:36])
}
