package catalog_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/faultwire"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

// onServer returns a database whose slot and publication are recorded.
func onServer(account string) database.Database {
	d := storetest.Database(account, "orders-"+storetest.ID())
	d.Source.SystemIdentifier = storetest.ID()
	return d
}

func pendingFor(d database.Database) database.Pending {
	return database.Pending{Account: d.Account, ClaimKey: "key", DatabaseID: d.ID, Making: database.Making{Slot: true}, CreatedAt: d.CreatedAt}
}

func slotHold(d database.Database, key string) database.SlotHold {
	return database.SlotHold{Key: key, Holder: "holder", Since: d.UpdatedAt}
}

// TestPending_Faults has faults in the calls around what is made on a target.
func TestPending_Faults(t *testing.T) {
	t.Parallel()
	type call struct {
		operation string
		do        func(context.Context, table, database.Database) error
		// unknown is the kind where the last attempt may have been done.
		unknown apierror.Kind
	}
	calls := map[string]call{
		"AddPending": {"PutItem", func(ctx context.Context, tab table, d database.Database) error {
			return tab.catalog().AddPending(ctx, pendingFor(d))
		}, apierror.UnknownOutcome},
		"RemovePending": {"DeleteItem", func(ctx context.Context, tab table, d database.Database) error {
			return tab.catalog().RemovePending(ctx, pendingFor(d))
		}, apierror.UnknownOutcome},
		"PendingOf": {"Query", func(ctx context.Context, tab table, d database.Database) error {
			_, err := tab.catalog().PendingOf(ctx, d.Account, "key")
			return err
		}, apierror.Unavailable},
		"AllPending": {"Query", func(ctx context.Context, tab table, _ database.Database) error {
			_, err := tab.catalog().AllPending(ctx)
			return err
		}, apierror.Unavailable},
		"HoldSlot": {"UpdateItem", func(ctx context.Context, tab table, d database.Database) error {
			return tab.catalog().HoldSlot(ctx, slotHold(d, d.SlotKey()))
		}, apierror.Unavailable},
		"ReleaseSlot": {"DeleteItem", func(ctx context.Context, tab table, d database.Database) error {
			return tab.catalog().ReleaseSlot(ctx, slotHold(d, d.SlotKey()))
		}, apierror.Unavailable},
	}
	for name, c := range calls {
		for fault, tt := range map[string]struct {
			faults []faultwire.Fault
			check  func(*testing.T, error)
		}{
			"response lost":      {[]faultwire.Fault{faultwire.LoseAnswer, faultwire.Pass}, isDone},
			"request lost":       {[]faultwire.Fault{faultwire.LoseRequest, broken, faultwire.Pass}, isDone},
			"throttled":          {[]faultwire.Fault{throttled}, hasKind(apierror.Throttled)},
			"connection refused": {[]faultwire.Fault{faultwire.NoConnection}, hasKind(apierror.Unavailable)},
			"reset":              {[]faultwire.Fault{faultwire.LoseRequest}, hasKind(c.unknown)},
			"no response":        {[]faultwire.Fault{faultwire.Hang}, hasKind(c.unknown)},
			"denied":             {[]faultwire.Fault{denied}, hasKind(apierror.Internal)},
		} {
			t.Run(name+", "+fault, func(t *testing.T) {
				t.Parallel()
				tab := newTable(t)
				tab.wire.Script(c.operation, tt.faults...)
				ctx, cancel := context.WithTimeout(storetest.Context(t), time.Second)
				defer cancel()
				tt.check(t, c.do(ctx, tab, onServer(storetest.Account())))
			})
		}
	}
}

// nextPublication is the publication that an update moves to.
const nextPublication = "next"

// TestPending_WriteFaults has faults in the write that completes a pending item.
func TestPending_WriteFaults(t *testing.T) {
	t.Parallel()
	writes := map[string]func(context.Context, table, database.Database) error{
		"insert": func(ctx context.Context, tab table, d database.Database) error {
			return tab.catalog().Insert(ctx, d, nil, database.CompletePending(pendingFor(d)))
		},
		"update": func(ctx context.Context, tab table, d database.Database) error {
			next := d
			next.Version, next.Change = d.Version+1, storetest.ID()
			next.Slot.SlotName, next.Slot.PublicationName = "next", nextPublication
			return tab.catalog().Update(ctx, d, next, database.CompletePending(pendingFor(d)))
		},
	}
	isGone := func(t *testing.T, err error) {
		t.Helper()
		if !errors.Is(err, database.ErrPendingGone) {
			t.Errorf("error %v", err)
		}
	}
	isHeld := func(kind apierror.Kind) func(*testing.T, error) {
		return func(t *testing.T, err error) {
			t.Helper()
			if !errors.Is(err, database.ErrSlotHeld) || (apierror.KindOf(err) == apierror.UnknownOutcome) != (kind == apierror.UnknownOutcome) {
				t.Errorf("error %v", err)
			}
		}
	}
	for name, write := range writes {
		for fault, tt := range map[string]struct {
			pending, held bool
			faults        []faultwire.Fault
			check         func(*testing.T, error)
		}{
			"response lost":                    {true, false, []faultwire.Fault{faultwire.LoseAnswer, faultwire.Pass}, isDone},
			"conflict":                         {true, false, []faultwire.Fault{conflict, faultwire.Pass}, isDone},
			"undone meanwhile":                 {false, false, []faultwire.Fault{faultwire.Pass}, isGone},
			"reset, then undone":               {false, false, []faultwire.Fault{faultwire.LoseRequest, faultwire.Pass}, hasKind(apierror.UnknownOutcome)},
			"reset":                            {true, false, []faultwire.Fault{faultwire.LoseRequest}, hasKind(apierror.UnknownOutcome)},
			"the publication is being dropped": {true, true, []faultwire.Fault{faultwire.Pass}, isHeld(apierror.Conflict)},
			"reset, and the publication being dropped": {true, true, []faultwire.Fault{faultwire.LoseRequest, faultwire.Pass}, isHeld(apierror.UnknownOutcome)},
		} {
			t.Run(name+", "+fault, func(t *testing.T) {
				t.Parallel()
				tab, d := newTable(t), onServer(storetest.Account())
				c := tab.catalog()
				held := d.PublicationKey()
				if name == "update" {
					isDone(t, c.Insert(storetest.Context(t), d, nil))
					next := d
					next.Slot.PublicationName = nextPublication
					held = next.PublicationKey()
				}
				if tt.pending {
					isDone(t, c.AddPending(storetest.Context(t), pendingFor(d)))
				}
				if tt.held {
					isDone(t, c.HoldSlot(storetest.Context(t), slotHold(d, held)))
				}
				tab.wire.Script("TransactWriteItems", tt.faults...)
				ctx, cancel := context.WithTimeout(storetest.Context(t), 2*time.Second)
				defer cancel()
				err := write(ctx, tab, d)
				tt.check(t, err)
				left, readErr := c.AllPending(storetest.Context(t))
				if readErr != nil || (len(left) == 1) != (err != nil && tt.pending) {
					t.Errorf("%d pending items, error %v", len(left), readErr)
				}
			})
		}
	}
}
