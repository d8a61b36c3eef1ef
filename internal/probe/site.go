package probe

import (
	"context"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/ask"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/judge"
)

// site is a target on which something is made or dropped.
type site struct {
	target database.Target
	host   *ask.Host
	// primary is nil if the target has none, or none that is needed.
	primary *ask.Host
	// session and onPrimary are nil if they could not be opened.
	session, onPrimary *ask.Session
}

// visit opens sessions with t, and with its primary if that is needed. Close the site
// after use.
func (p *Prober) visit(ctx context.Context, t database.Target, needsPrimary bool) *site {
	s := &site{target: t, host: p.Client.Resolve(ctx, ask.Request{
		Endpoint: t.Endpoint, Password: t.Passwords.Main, Slot: t.Slot, Session: facts.WALSender,
		Parts: []facts.Part{facts.PartServer, facts.PartSettings, facts.PartIdentity, facts.PartPublication, facts.PartSlot, facts.PartSlots},
	})}
	if t.Primary == nil || !needsPrimary {
		s.session = askAll(ctx, s.host)
		return s
	}
	s.primary = p.Client.Resolve(ctx, ask.Request{
		Endpoint: *t.Primary, Password: t.Passwords.Primary, Slot: t.Slot, Session: facts.Ordinary,
		Parts: append(facts.PrimaryParts(), facts.PartPublication),
	})
	if !s.host.Evidence.Forbidden() && !s.primary.Evidence.Forbidden() {
		concurrently(func() { s.session = askAll(ctx, s.host) }, func() { s.onPrimary = askAll(ctx, s.primary) })
	}
	return s
}

// askAll opens a session and asks for its parts. It returns nil if there is no session.
func askAll(ctx context.Context, host *ask.Host) *ask.Session {
	session := host.Open(ctx)
	if session != nil && host.Evidence.Supported() {
		session.Ask(ctx)
	}
	return session
}

func (s *site) close() {
	for _, session := range []*ask.Session{s.session, s.onPrimary} {
		if session != nil {
			session.Close()
		}
	}
}

// primaryEvidence returns nil if there is no primary.
func (s *site) primaryEvidence() *facts.Evidence {
	if s.primary == nil {
		return nil
	}
	return &s.primary.Evidence
}

// access returns the failed checks for which nothing can be done.
func (s *site) access() check.Report {
	return judge.Access(s.target, s.host.Evidence, s.primaryEvidence())
}

func (s *site) isStandby() bool {
	server := s.host.Evidence.Facts.Server
	return server != nil && server.InRecovery
}

// publisher returns the session with the server that has the publication, which a standby
// has from its primary, and that server.
func (s *site) publisher() (*ask.Session, *ask.Host) {
	if s.isStandby() {
		return s.onPrimary, s.primary
	}
	return s.session, s.host
}
