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
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	s := p.visit(ctx, t, m.Publication)
	defer s.close()
	if report := s.access(); len(report) > 0 {
		return database.Making{}, report
	}
	if report := judge.MayDrop(t, source, m, s.host.Evidence, s.primaryEvidence()); len(report) > 0 {
		return database.Making{}, report
	}
	if !s.isStandby() {
		s.session.Drop(m.Slot, m.Publication)
		return s.dropped(m)
	}
	if m.Slot {
		s.session.Drop(true, false)
	}
	if m.Publication && (!m.Slot || s.host.Evidence.Making.Slot.Outcome == facts.Made) {
		s.onPrimary.Drop(false, true)
	}
	return s.dropped(m)
}

// dropped returns what of m was dropped or did not exist, and what could not be dropped.
func (s *site) dropped(m database.Making) (database.Making, check.Report) {
	publisher := s.host
	if s.isStandby() && s.primary != nil {
		publisher = s.primary
	}
	return database.Making{
		Publication: m.Publication && publisher.Evidence.Making.Publication.Outcome == facts.Made,
		Slot:        m.Slot && s.host.Evidence.Making.Slot.Outcome == facts.Made,
	}, judge.Dropping(s.target, s.host.Evidence, s.primaryEvidence())
}

// DropStatements returns the SQL that drops t's slot and then its publication.
func (p *Prober) DropStatements(t database.Target) string { return judge.DropStatements(t) }
