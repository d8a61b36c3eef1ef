package probe

import (
	"context"
	"time"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/judge"
)

const (
	// makeTimeout bounds Make.
	makeTimeout = 15 * time.Second
	// slotLimit bounds the creation of a slot, which waits for open transactions.
	slotLimit = 10 * time.Second
	// replayLimit bounds the wait for a standby to replay a publication.
	replayLimit = 5 * time.Second
	// undoTime is what is left of Make's time when it stops waiting, to undo.
	undoTime = 3 * time.Second
	// minSlotTime is the least time in which a slot is worth a try.
	minSlotTime = 200 * time.Millisecond
)

// Make creates what m selects on t: the publication in a transaction of its own, since a
// slot can't be made in one that has written, and then the slot.
//
// Its sessions do not end with ctx, but with ctx's deadline: if ctx is cancelled, what was
// made has to be undone.
func (p *Prober) Make(ctx context.Context, t database.Target, m database.Making) (database.Making, check.Report) {
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeLeft(ctx, makeTimeout))
	defer cancel()
	s := p.visit(work, t, true)
	defer s.close()
	if report := s.access(); len(report) > 0 {
		return database.Making{}, report
	}
	if f := s.session.Serialize(timeLeft(work, slotLimit+undoTime) - undoTime); f != nil {
		return database.Making{}, judge.NotAlone(t, *f, s.host.Evidence, s.primaryEvidence())
	}
	report := s.make(ctx, work, m)
	if len(report) == 0 {
		return s.made(), nil
	}
	return p.undo(ctx, s), report
}

// timeLeft returns the time until ctx's deadline, and at most limit.
func timeLeft(ctx context.Context, limit time.Duration) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return min(limit, time.Until(deadline))
	}
	return limit
}

// make makes what m selects, and returns the failed checks. ctx is the request's, and work
// the time for it.
func (s *site) make(ctx, work context.Context, m database.Making) check.Report {
	publisher, _ := s.publisher()
	if m.Publication && s.target.Creation.Publication != nil {
		publisher.CreatePublication(*s.target.Creation.Publication)
		if report := s.failures(); len(report) > 0 {
			return report
		}
	}
	if s.isStandby() {
		s.session.WaitForPublication(ctx, timeLeft(work, replayLimit+undoTime)-undoTime)
		if report := s.failures(); len(report) > 0 {
			return report
		}
	}
	if !m.Slot {
		return nil
	}
	limit := timeLeft(work, slotLimit+undoTime) - undoTime
	if limit < minSlotTime || ctx.Err() != nil {
		return judge.OutOfTime(s.target)
	}
	before := publisher.Now()
	s.createSlot(ctx, limit)
	if s.host.Evidence.Making.Slot.Outcome == facts.AttemptFailed || s.host.Evidence.Making.Slot.Outcome == facts.AttemptUnknown {
		publisher.AskForBlockers(before)
	}
	return s.failures()
}

// createSlot makes the slot. On a standby that waits for records of its primary about the
// transactions that are running, which the primary writes only now and then.
func (s *site) createSlot(ctx context.Context, limit time.Duration) {
	if !s.isStandby() {
		s.session.CreateSlot(ctx, limit)
		return
	}
	logging, done := context.WithCancel(ctx)
	concurrently(
		func() { s.onPrimary.LogSnapshots(logging) },
		func() {
			s.session.CreateSlot(ctx, limit)
			done()
		})
}

func (s *site) failures() check.Report {
	return judge.Making(s.target, s.host.Evidence, s.primaryEvidence())
}

// made returns what was made by this call, or may have been.
func (s *site) made() database.Making {
	mine := func(a facts.Attempt) bool { return a.Outcome == facts.Made || a.Outcome == facts.AttemptUnknown }
	_, publisher := s.publisher()
	return database.Making{Publication: mine(publisher.Evidence.Making.Publication), Slot: mine(s.host.Evidence.Making.Slot)}
}

// undo drops what was made, and returns what is left. It takes sessions of its own: those
// that made it may be stuck.
func (p *Prober) undo(ctx context.Context, s *site) database.Making {
	left := s.made()
	if left == (database.Making{}) {
		return left
	}
	var source database.Source
	if id := s.host.Evidence.Facts.Identity; id != nil {
		source.SystemIdentifier = *id
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	gone, _, _ := p.drop(ctx, s.target, source, left)
	return database.Making{Publication: left.Publication && !gone.Publication, Slot: left.Slot && !gone.Slot}
}
