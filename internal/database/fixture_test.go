package database_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/localstore"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

// prober records the targets it is called with and returns the findings it is
// given. The real one is tested in its own package.
type prober struct {
	mu       sync.Mutex
	targets  []database.Target
	findings check.Report
	wait     bool // until the context ends, before it returns
	source   string
	maker    *maker

	outOfTime bool
}

func (p *prober) Probe(ctx context.Context, t database.Target) database.Examination {
	p.mu.Lock()
	p.targets = append(p.targets, t)
	findings, wait := p.findings, p.wait
	p.mu.Unlock()
	if wait {
		<-ctx.Done()
	}
	x := database.Examination{
		Report: append(check.Report{{Name: check.Address, Status: check.Passed}}, findings...), OutOfTime: p.outOfTime,
		Source: database.Source{SystemIdentifier: p.source},
	}
	p.maker.mu.Lock()
	defer p.maker.mu.Unlock()
	x.Missing.Slot = t.Creation.Slot && !p.maker.exists.Slot
	x.Missing.Publication = t.Creation.Publication != nil && !p.maker.exists.Publication
	return x
}

func (p *prober) RefreshTables(context.Context, database.Target, func(database.Table) bool) database.Examination {
	return database.Examination{Report: p.findings, OutOfTime: p.outOfTime}
}

func (p *prober) probed() []database.Target {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]database.Target(nil), p.targets...)
}

// maker makes what it is asked for, unless it has findings. It records the calls.
type maker struct {
	mu            sync.Mutex
	made, dropped []database.Making
	findings      check.Report
	refuseDrop    check.Report
	before        func() // runs before something is made
	exists        database.Making
}

func (m *maker) Make(_ context.Context, _ database.Target, want database.Making) (database.Making, check.Report) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.before != nil {
		m.before()
	}
	if len(m.findings) > 0 {
		return database.Making{}, m.findings
	}
	made := database.Making{Publication: want.Publication && !m.exists.Publication, Slot: want.Slot && !m.exists.Slot}
	m.made = append(m.made, made)
	m.exists = database.Making{Publication: m.exists.Publication || want.Publication, Slot: m.exists.Slot || want.Slot}
	return made, nil
}

func (m *maker) Drop(_ context.Context, _ database.Target, _ database.Source, want database.Making) (database.Making, check.Report) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.refuseDrop) > 0 {
		return database.Making{}, m.refuseDrop
	}
	m.dropped = append(m.dropped, want)
	dropped := database.Making{Publication: m.exists.Publication && want.Publication, Slot: m.exists.Slot && want.Slot}
	m.exists = database.Making{Publication: m.exists.Publication && !want.Publication, Slot: m.exists.Slot && !want.Slot}
	return dropped, nil
}

func (m *maker) DropStatements(t database.Target) string {
	return "DROP " + t.Slot.SlotName + " " + t.Slot.PublicationName
}

// fixture is a service on a local store of its own.
type fixture struct {
	t       *testing.T
	service *database.Service
	prober  *prober
	maker   *maker
	store   *localstore.Store
	clock   *time.Time
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	store := storetest.OpenLocal(t)
	clock := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	f := &fixture{t: t, prober: &prober{}, maker: &maker{}, store: store, clock: &clock}
	f.prober.maker = f.maker
	f.service = &database.Service{
		Catalog: store.Catalog(), Vault: store.Vault(), Prober: f.prober, Maker: f.maker,
		Now: func() time.Time { return *f.clock }, Log: slog.New(slog.DiscardHandler),
	}
	return f
}

func (f *fixture) payload(p map[string]any) database.Payload {
	f.t.Helper()
	payload, err := parse(f.t, p)
	if err != nil {
		f.t.Fatal(err)
	}
	return payload
}

func (f *fixture) create(p map[string]any) database.Database {
	f.t.Helper()
	c, err := f.service.Create(f.t.Context(), "acme", f.payload(p), "")
	if err != nil {
		f.t.Fatal(err)
	}
	return c.Database
}

func (f *fixture) update(ref, body string, verify bool) (database.Updated, error) {
	f.t.Helper()
	p, err := database.ParsePatch([]byte(body))
	if err != nil {
		f.t.Fatal(err)
	}
	return f.service.Update(f.t.Context(), "acme", ref, p, verify)
}

func (f *fixture) passwords(d database.Database) database.Passwords {
	f.t.Helper()
	p, err := f.service.Passwords(f.t.Context(), d)
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

func code(err error) check.Code {
	if e, ok := errors.AsType[*apierror.Error](err); ok {
		return e.Code
	}
	return ""
}
