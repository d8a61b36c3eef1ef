package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
)

const (
	// undoTimeout bounds dropping what a request has made on a target. The request stops
	// early enough to leave that time.
	undoTimeout = 6 * time.Second
	// holdPause is the pause before another look at a slot that is held.
	holdPause = 500 * time.Millisecond
)

// The objects that a create makes on a target, as the API names them.
const (
	createdPublication = "publication"
	createdSlot        = "replication_slot"
)

// names returns the objects of m as the API names them.
func (m Making) names() []string {
	var names []string
	if m.Publication {
		names = append(names, createdPublication)
	}
	if m.Slot {
		names = append(names, createdSlot)
	}
	return names
}

// pause waits a little, and reports whether ctx is still alive.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(holdPause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// takeOver undoes what an interrupted request with the same Idempotency-Key has made.
// What can't be dropped now is left to the sweep.
func (s *Service) takeOver(ctx context.Context, wanted Creation, c *Claim) error {
	if c == nil || !wanted.wanted() {
		return nil
	}
	left, err := s.Catalog.PendingOf(ctx, c.Account, c.Key)
	if err != nil {
		return fmt.Errorf("find interrupted requests: %w", err)
	}
	for _, p := range left {
		err := s.undoAll(ctx, p)
		switch {
		case err == nil:
		case apierror.KindOf(err) == apierror.Invalid:
			s.Log.WarnContext(ctx, leftOnTarget, "database", p.DatabaseID, "error", err)
		default:
			return fmt.Errorf("undo interrupted request: %w", err)
		}
	}
	return nil
}

// leftOnTarget is logged where only the scheduled sweep will drop what was made.
const leftOnTarget = "what a request made on its target is left"

// registerMaking makes what the target lacks, and then keeps d. What was made is dropped
// again if d can't be kept.
func (s *Service) registerMaking(ctx, work context.Context, d Database, t Target, x Examination, c *Claim) (Database, error) {
	pending, after, err := s.makeMissing(ctx, work, d, t, x, c)
	if err != nil {
		return Database{}, err
	}
	d.examined(after)
	d.Created = pending.Making.names()
	if err = s.insert(work, &d, c, CompletePending(pending)); err == nil {
		return d, nil
	}
	// After an unknown outcome the database may exist, and needs what was made.
	if apierror.KindOf(err) != apierror.UnknownOutcome {
		s.undo(ctx, pending)
	}
	return Database{}, insertRefused(err, d)
}

// makeMissing makes what x says is missing on t and examines t again. It returns the
// pending item, with what was made, and what was found afterwards. With an error,
// everything is undone.
func (s *Service) makeMissing(ctx, work context.Context, d Database, t Target, x Examination, c *Claim) (Pending, Examination, error) {
	pending := s.newPending(d, x.Missing, c)
	if err := s.Catalog.AddPending(work, pending); err != nil {
		pending.Making = Making{}
		s.undo(ctx, pending)
		if apierror.KindOf(err) == apierror.UnknownOutcome { // nothing depends on the item
			err = apierror.New(apierror.Unavailable, "the item was not stored in time", err)
		}
		return pending, Examination{}, fmt.Errorf("store pending item of database %s: %w", d.ID, err)
	}
	made, report := s.Maker.Make(work, t, x.Missing)
	narrower := made != pending.Making
	pending.Making = made
	after, err := s.examineMade(work, t, x, report)
	if err == nil && narrower {
		// The rest is another's: nobody may drop it.
		err = s.Catalog.AddPending(work, pending)
	}
	if err != nil {
		s.undo(ctx, pending)
		return pending, Examination{}, err
	}
	return pending, after, nil
}

// examineMade examines t after Make returned report.
func (s *Service) examineMade(ctx context.Context, t Target, before Examination, report check.Report) (Examination, error) {
	if _, failed := report.FirstFailure(); failed {
		before.Report = merged(before.Report, report)
		return before, before.refusal()
	}
	t.Creation = Creation{} // what was made must pass
	after := s.Prober.Probe(ctx, t)
	if err := after.busy(); err != nil {
		return after, err
	}
	// A target that takes all of the time is refused for that: it is no failure of ours.
	if err := after.refusal(); err != nil {
		return after, err
	}
	if err := ctx.Err(); err != nil {
		return after, outOfTime(err)
	}
	return after, nil
}

// merged returns report with the entries of the checks that part has in their place.
func merged(report, part check.Report) check.Report {
	var whole check.Report
	for _, name := range check.Names() {
		of := func(r check.Report) check.Report {
			return slices.DeleteFunc(slices.Clone(r), func(e check.Entry) bool { return e.Name != name })
		}
		entries := of(part)
		if len(entries) == 0 {
			entries = of(report)
		}
		whole = append(whole, entries...)
	}
	return whole
}

// undo drops what this request has made, even if ctx has ended.
func (s *Service) undo(ctx context.Context, p Pending) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if err := s.undoAll(ctx, p); err != nil {
		attrs := []any{"database", p.DatabaseID, "error", err}
		if e, ok := errors.AsType[*apierror.Error](err); ok && e.Code != "" {
			attrs = append(attrs, "code", e.Code)
		}
		s.Log.WarnContext(ctx, leftOnTarget, attrs...)
	}
}
