package probe

import (
	"context"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/judge"
)

// Drop drops what m selects on t: on a primary in one transaction, and of a standby the
// slot first.
func (p *Prober) Drop(ctx context.Context, t database.Target, source database.Source, m database.Making) (database.Making, check.Report) {
	gone, existed, report := p.drop(ctx, t, source, m)
	return database.Making{Publication: gone.Publication && existed.Publication, Slot: gone.Slot && existed.Slot}, report
}

// drop is Drop, but returns what of m no longer exists, and what existed before.
func (p *Prober) drop(ctx context.Context, t database.Target, source database.Source, m database.Making) (gone, existed database.Making, report check.Report) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	s := p.visit(ctx, t, m.Publication)
	defer s.close()
	if report := s.access(); len(report) > 0 {
		return database.Making{}, database.Making{}, report
	}
	if report := judge.MayDrop(t, source, m, s.host.Evidence, s.primaryEvidence()); len(report) > 0 {
		return database.Making{}, database.Making{}, report
	}
	switch {
	case !s.isStandby():
		s.session.Drop(m.Slot, m.Publication)
	case m.Slot:
		s.session.Drop(true, false)
	}
	if s.isStandby() && m.Publication && (!m.Slot || s.host.Evidence.Making.Slot.Outcome == facts.Made) {
		s.onPrimary.Drop(false, true)
	}
	publisher := s.host
	if s.isStandby() && s.primary != nil {
		publisher = s.primary
	}
	target, publishes := s.host.Evidence, publisher.Evidence
	gone = database.Making{
		Publication: m.Publication && publishes.Making.Publication.Outcome == facts.Made,
		Slot:        m.Slot && target.Making.Slot.Outcome == facts.Made,
	}
	existed = database.Making{Publication: publishes.Facts.FoundPublication() != nil, Slot: target.Facts.FoundSlot() != nil}
	return gone, existed, judge.Dropping(t, target, s.primaryEvidence())
}

// DropStatements returns the SQL that drops t's slot and then its publication.
func (p *Prober) DropStatements(t database.Target) string { return judge.DropStatements(t) }
