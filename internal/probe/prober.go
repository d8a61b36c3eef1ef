package probe

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/egress"
	"github.com/headgate/headgate/internal/probe/ask"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/judge"
	"github.com/headgate/headgate/internal/redact"
)

// Timeout bounds a probe, including DNS, connections and statements: the API
// promises 10 s.
const Timeout = 9500 * time.Millisecond

// Prober probes targets. It implements database.Prober and database.HealthProber, and
// keeps no state between probes.
type Prober struct {
	Client *ask.Client
}

// New returns a Prober on the network that dials addresses that policy allows.
func New(policy egress.Policy) *Prober { return &Prober{Client: ask.New(policy)} }

// Probe checks t. A primary is asked concurrently; neither server is dialled if
// an address of either is not allowed.
func (p *Prober) Probe(ctx context.Context, t database.Target) database.Examination {
	target, primary := p.ask(ctx, t, ask.Request{
		Endpoint: t.Endpoint, Password: t.Passwords.Main, Slot: t.Slot, Publication: t.Creation.Publication,
		Session: facts.WALSender, Parts: append(facts.TargetParts(), publicationParts(t)...),
	})
	return examination(t, target, primary)
}

// CheckHealth checks a registered target by an ordinary session. It is one connection,
// with nothing asked for after the first flight of statements: TLS, the login and the
// answers take four round trips, besides TCP's and the request for TLS.
func (p *Prober) CheckHealth(ctx context.Context, t database.Target, l database.HealthLimits) (check.Report, database.SlotState, error) {
	target, primary := p.ask(ctx, t, ask.Request{
		Endpoint: t.Endpoint, Password: t.Passwords.Main, Slot: t.Slot,
		Session: facts.Ordinary, Parts: facts.HealthParts(), OneFlight: true,
	})
	if target.OutOfTime() || primary != nil && primary.OutOfTime() {
		return nil, database.SlotState{}, apierror.New(apierror.Unavailable, "this process was too busy to check the target", nil)
	}
	report, slot := judge.Health(t, target, primary, l)
	return report, slot, nil
}

// ask returns the evidence about t and about its primary, nil if it has none.
func (p *Prober) ask(ctx context.Context, t database.Target, request ask.Request) (target facts.Evidence, primaryEvidence *facts.Evidence) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	if t.Primary == nil {
		host := p.Client.Resolve(ctx, request)
		askTarget(ctx, host, t)
		return host.Evidence, nil
	}
	// Nothing is replicated from the primary: an ordinary session will do.
	primaryRequest := ask.Request{
		Endpoint: *t.Primary, Password: t.Passwords.Primary, Slot: t.Slot, Publication: t.Creation.Publication,
		Session: facts.Ordinary, Parts: append(facts.PrimaryParts(), publicationParts(t)...), OneFlight: request.OneFlight,
	}
	var host, primary *ask.Host
	concurrently(
		func() { host = p.Client.Resolve(ctx, request) },
		func() { primary = p.Client.Resolve(ctx, primaryRequest) })
	if !host.Evidence.Forbidden() && !primary.Evidence.Forbidden() {
		concurrently(func() { askTarget(ctx, host, t) }, func() { askPrimary(ctx, primary) })
	}
	return host.Evidence, &primary.Evidence
}

// publicationParts returns what is asked in addition if t's Creation may make the
// publication.
func publicationParts(t database.Target) []facts.Part {
	if t.Creation.Publication == nil {
		return nil
	}
	return []facts.Part{facts.PartCreation}
}

// examination returns what is known about t. primary is nil if t has no primary.
func examination(t database.Target, target facts.Evidence, primary *facts.Evidence) database.Examination {
	x := database.Examination{
		Report:  judge.Report(t, target, primary),
		Missing: judge.Missing(t, target),
		Fields:  judge.Misnamed(t, target, primary),

		OutOfTime: target.OutOfTime() || primary != nil && primary.OutOfTime(),
	}
	if id := target.Facts.Identity; id != nil && isIdentifier(*id) && !secretsOf(t.Passwords).In(*id) {
		x.Source.SystemIdentifier = *id
	}
	return x
}

// isIdentifier reports whether id has the form of a system identifier, a decimal number
// of 64 bits. It is stored, and a server may send anything.
func isIdentifier(id string) bool {
	_, err := strconv.ParseUint(id, 10, 64)
	return err == nil
}

func secretsOf(p database.Passwords) redact.Secrets {
	return redact.NewSecrets(p.Main.Reveal(), p.Primary.Reveal())
}

// RefreshTables passes the tables of t's publication to add until that returns false.
// It opens an ordinary session, and so takes no walsender.
func (p *Prober) RefreshTables(ctx context.Context, t database.Target, add func(database.Table) bool) database.Examination {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	host := p.Client.Resolve(ctx, ask.Request{
		Endpoint: t.Endpoint, Password: t.Passwords.Main, Slot: t.Slot,
		Session: facts.Ordinary, Parts: []facts.Part{facts.PartPublication},
	})
	session := host.Open(ctx)
	if session == nil {
		return examination(t, host.Evidence, nil)
	}
	defer session.Close()
	session.Ask(ctx)
	x := examination(t, host.Evidence, nil)
	if _, failed := x.Report.FirstFailure(); failed {
		return x
	}
	session.ListTables(ctx, masked(add, t.Passwords))
	return examination(t, host.Evidence, nil)
}

// masked returns add of tables without the names that have a password in them.
func masked(add func(database.Table) bool, p database.Passwords) func(database.Table) bool {
	secrets := secretsOf(p)
	return func(t database.Table) bool {
		for _, name := range []*string{&t.Schema, &t.Name} {
			if secrets.In(*name) {
				*name = database.Mask
			}
		}
		return add(t)
	}
}

// askTarget asks t's server. If it has a walsender again after it had none left, because
// others have them for a moment only, askTarget starts anew, in the first half of the
// time.
func askTarget(ctx context.Context, host *ask.Host, t database.Target) {
	begin := time.Now()
	for {
		askOnce(ctx, host, t)
		if time.Since(begin) > Timeout/2 || !judge.WALSenderFreed(t, host.Evidence) {
			return
		}
		host.Evidence = facts.Evidence{Reached: facts.Resolved, TLSOnly: host.Evidence.TLSOnly}
	}
}

func askOnce(ctx context.Context, host *ask.Host, t database.Target) {
	session := host.Open(ctx)
	if session == nil {
		return
	}
	defer session.Close()
	if !host.Evidence.Supported() {
		return
	}
	session.Ask(ctx)
	if !host.OneFlight && judge.NeedsPeek(t, host.Evidence) {
		session.Peek(ctx)
	}
}

func askPrimary(ctx context.Context, host *ask.Host) {
	if session := host.Open(ctx); session != nil {
		defer session.Close()
		session.Ask(ctx)
	}
}

// concurrently runs a and b, and returns when both have returned.
func concurrently(a, b func()) {
	var group sync.WaitGroup
	group.Go(a)
	b()
	group.Wait()
}
